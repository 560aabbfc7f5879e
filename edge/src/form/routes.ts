import { readFile } from "node:fs/promises";
import { cancel, getJob } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import type { Context } from "hono";
import { toApiError } from "../errors/problem.ts";
import { ApiError } from "../errors/table.ts";
import type { App, AppEnv } from "../hono.ts";
import { checkScope, principalOf, requireScope } from "../middleware/require-scope.ts";
import { submitRender } from "../renders/submit.ts";
import { publicId, toRender } from "../renders/view.ts";
import type { Services } from "../services.ts";
import { type FormModel, formPage, type Submitted } from "./form-page.ts";
import { jobPage } from "./job-page.ts";
import { formModel } from "./model.ts";
import { requestOfForm } from "./submission.ts";

const ASSETS: Record<string, string> = {
  "form.css": "text/css; charset=utf-8",
  "form.js": "text/javascript; charset=utf-8",
  "icon.svg": "image/svg+xml",
};

/** The form at `/`, its files, and the pages that serve browsers without JavaScript. */
export function registerForm(app: App, services: Services): void {
  app.get("/", (c, next) => {
    // Programs that ask `/` want the API's description, as in v5.
    if (!(c.req.header("accept") ?? "").includes("text/html")) return next();
    c.header("cache-control", "no-cache");
    return page(c, services);
  });

  app.get("/form/:file", async (c, next) => {
    const file = c.req.param("file");
    const type = ASSETS[file];
    if (type === undefined) return next();
    const bytes = await readFile(new URL(`./assets/${file}`, import.meta.url));
    return new Response(new Uint8Array(bytes), {
      headers: { "content-type": type, "cache-control": "public, max-age=3600" },
    });
  });

  app.post("/form/render", async (c) => {
    const values = textFields(await c.req.parseBody());
    try {
      const principal = checkScope(c.get("principal"), "render");
      const pair = services.catalog.pack("").characters.map((one) => one.name);
      const { job } = await submitRender(services, principal, requestOfForm(values, pair), {
        dialect: "form",
      });
      return c.redirect(`/form/jobs/${publicId(job)}`, 303);
    } catch (thrown) {
      const error = toApiError(thrown, c.get("requestId"));
      c.status(error.status as 422);
      return page(c, services, { values, error: error.message });
    }
  });

  app.get("/form/jobs/:id", requireScope("read"), async (c) => {
    const { tenant } = principalOf(c);
    const job = await getJob(services.db, { tenant }, c.req.param("id"));
    const render = await toRender(job, {
      store: services.store,
      origin: c.get("origin"),
      expiresInSeconds: services.config.urlTtlSeconds,
    });
    c.header("cache-control", "no-store");
    return c.html(await jobPage({ ...render, over: isTerminal(job.status), error: render.error?.message }));
  });

  app.post("/form/jobs/:id/cancel", requireScope("cancel"), async (c) => {
    const id = c.req.param("id");
    await cancel(services.db, { tenant: principalOf(c).tenant }, id);
    return c.redirect(`/form/jobs/${id}`, 303);
  });
}

async function page(c: Context<AppEnv>, services: Services, submitted?: Submitted): Promise<Response> {
  const html = await formPage(model(services), submitted);
  return c.html(html);
}

function model(services: Services): FormModel {
  const options = { needsKey: services.config.auth === "keys", demo: false };
  try {
    return formModel(services.catalog.pack(""), options);
  } catch (error) {
    // No node has ever said what it can draw: the page comes all the same, and says so when asked to render.
    if (!(error instanceof ApiError) || error.code !== "no_nodes") throw error;
    return formModel(
      { format: 1, name: "", version: "", components: {}, characters: [], pair_suggestions: [], files: {} },
      options,
    );
  }
}

function textFields(body: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

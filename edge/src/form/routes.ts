/// <reference path="../text-imports.d.ts" />
import type { Context } from "hono";
import { principalOfToken } from "../auth/authenticate.ts";
import { packOf } from "../characters/pack-of.ts";
import { toApiError } from "../errors/problem.ts";
import { ApiError } from "../errors/table.ts";
import type { App, AppEnv } from "../hono.ts";
import { checkScope } from "../middleware/require-scope.ts";
import { submitRender } from "../renders/submit.ts";
import type { Services } from "../services.ts";
import { submitStoryboard } from "../storyboards/submit.ts";
// Imported, not read from disk, so that the compiled edge carries them.
import formCss from "./assets/form.css" with { type: "text" };
import formJs from "./assets/form.js" with { type: "text" };
import icon from "./assets/icon.svg" with { type: "text" };
import storyboardJs from "./assets/storyboard.js" with { type: "text" };
import { registerCharactersPage } from "./characters-routes.ts";
import { type FormModel, formPage, type Submitted } from "./form-page.ts";
import { followUrl, registerJobPages } from "./job-routes.ts";
import { formModel } from "./model.ts";
import { storyboardOfForm } from "./storyboard-submission.ts";
import { requestOfForm } from "./submission.ts";

const ASSETS: Record<string, { type: string; text: string }> = {
  "form.css": { type: "text/css; charset=utf-8", text: formCss },
  "form.js": { type: "text/javascript; charset=utf-8", text: formJs },
  "storyboard.js": { type: "text/javascript; charset=utf-8", text: storyboardJs },
  "icon.svg": { type: "image/svg+xml", text: icon },
};

/** The form at `/`, its files, and the pages that serve browsers without JavaScript. */
export function registerForm(app: App, services: Services): void {
  app.get("/", (c, next) => {
    // Programs that ask `/` want the API's description, as in v5.
    if (!(c.req.header("accept") ?? "").includes("text/html")) return next();
    c.header("cache-control", "no-cache");
    return page(c, services, { values: c.req.query(), error: "" });
  });

  app.get("/form/:file", (c, next) => {
    const file = c.req.param("file");
    const asset = Object.hasOwn(ASSETS, file) ? ASSETS[file] : undefined;
    if (asset === undefined) return next();
    return new Response(asset.text, {
      headers: { "content-type": asset.type, "cache-control": "public, max-age=3600" },
    });
  });

  registerCharactersPage(app, services, { modelOf: (c) => model(c, services), messageOf });

  app.post("/form/render", async (c) => {
    const { api_key: key, ...values } = textFields(await c.req.parseBody());
    try {
      const asked = c.get("principal") ?? (await principalOfToken(services.db, key));
      const principal = checkScope(asked, "render");
      const pair = services.catalog.pack("").characters.map((one) => one.name);
      const { job } =
        values.kind === "storyboard"
          ? await submitStoryboard(services, principal, storyboardOfForm(values, pair))
          : await submitRender(services, principal, requestOfForm(values, pair), { dialect: "form" });
      return c.redirect(followUrl(services, job), 303);
    } catch (thrown) {
      const error = toApiError(thrown, c.get("requestId"));
      c.status(error.status as 422);
      return page(c, services, { values, error: messageOf(error) });
    }
  });
  registerJobPages(app, services);
}

const messageOf = ({ message, errors }: ApiError) =>
  [message, ...errors.map((one) => `${one.pointer ?? one.parameter ?? ""} ${one.detail}`.trim())]
    .filter((line, index, all) => all.indexOf(line) === index)
    .join("\n");

async function page(c: Context<AppEnv>, services: Services, submitted?: Submitted): Promise<Response> {
  const html = await formPage(await model(c, services), submitted);
  return c.html(html);
}

async function model(c: Context<AppEnv>, services: Services): Promise<FormModel> {
  const tenant = c.get("principal")?.tenant;
  const options = { needsKey: services.config.auth === "keys", demo: services.config.demo };
  try {
    const pack = tenant === undefined ? services.catalog.pack("") : await packOf(services, tenant);
    return formModel(pack, options);
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

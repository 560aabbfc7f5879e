import { getJob, getPreview, getSpeechPart } from "@cartoon/db";
import { ARTEFACTS, isTerminal } from "@cartoon/protos";
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../../errors/table.ts";
import { type App, problems } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { IdParam } from "./schema.ts";

const tags = ["Results"];
const middleware = requireScope("read");
const names = Object.keys(ARTEFACTS) as (keyof typeof ARTEFACTS)[];

const result = createRoute({
  method: "get",
  path: "/v1/renders/{id}/results/{name}",
  operationId: "getResult",
  summary: "One result: a redirect to a URL signed just now",
  tags,
  middleware,
  request: {
    params: IdParam.extend({ name: z.enum(names) }),
    query: z.object({ download: z.enum(["0", "1"]).optional() }),
  },
  responses: { 302: { description: "To the signed URL" }, ...problems },
});

const manifest = createRoute({
  method: "get",
  path: "/v1/renders/{id}/manifest",
  operationId: "getManifest",
  summary: "The manifest: every setting, hash and timing; its spec, submitted again, repeats the render",
  tags,
  middleware,
  request: { params: IdParam },
  responses: { 200: { description: "manifest.json" }, ...problems },
});

const preview = createRoute({
  method: "get",
  path: "/v1/renders/{id}/preview",
  operationId: "getPreview",
  summary: "The newest animated preview of a render that runs",
  tags,
  middleware,
  request: { params: IdParam },
  responses: { 200: { description: "An image" }, ...problems },
});

const speechPart = createRoute({
  method: "get",
  path: "/v1/renders/{id}/preview/speech/{part}",
  operationId: "getSpeechPart",
  summary: "A part of a dialogue that is being made; a `preview` event tells of each",
  tags,
  middleware,
  request: { params: IdParam.extend({ part: z.coerce.number().int().min(0).max(9999) }) },
  responses: { 200: { description: "A WAV file" }, ...problems },
});

/** Results, manifest and previews of a render. */
export function registerResults(app: App, services: Services): void {
  const { db, store, config } = services;

  async function find(
    c: { get(key: "principal"): ReturnType<typeof principalOf> | undefined },
    id: string,
    name: string,
  ) {
    const job = await getJob(db, { tenant: principalOf(c).tenant }, id);
    const found = job.results.find((one) => one.name === name);
    if (found) return { job, found };
    if (!isTerminal(job.status))
      throw new ApiError("not_ready", `the render is ${job.status}`, { headers: { "retry-after": "2" } });
    // Every render that succeeded has made a manifest at least.
    if (job.status === "succeeded" && job.results.length === 0)
      throw new ApiError("gone", "the results of this render have expired");
    throw new ApiError("not_found", `this render (${job.status}) has no ${name}`);
  }

  app.openapi(result, async (c) => {
    const { id, name } = c.req.valid("param");
    const { job, found } = await find(c, id, name);
    const downloadAs = c.req.valid("query").download === "1" ? `${publicId(job)}-${name}` : undefined;
    const url = await store.signGet(found.storageKey, {
      origin: c.get("origin"),
      expiresInSeconds: config.urlTtlSeconds,
      ...(downloadAs === undefined ? {} : { downloadAs }),
    });
    c.header("cache-control", "no-store");
    return c.redirect(url, 302);
  });

  app.openapi(manifest, async (c) => {
    const { found } = await find(c, c.req.valid("param").id, "manifest.json");
    const object = await store.get(found.storageKey);
    if (!object) throw new ApiError("gone", "the manifest is no longer there");
    return new Response(object.body, {
      headers: { "content-type": "application/json", "cache-control": "no-store" },
    });
  });

  app.openapi(speechPart, async (c) => {
    const { tenant } = principalOf(c);
    const { id, part } = c.req.valid("param");
    const found = await getSpeechPart(db, { tenant }, id, part);
    if (!found)
      throw new ApiError("not_ready", "there is no such part (yet)", { headers: { "retry-after": "1" } });
    return new Response(new Uint8Array(found.data), {
      headers: { "content-type": found.contentType, "cache-control": "no-store" },
    });
  });

  app.openapi(preview, async (c) => {
    const { tenant } = principalOf(c);
    const found = await getPreview(db, { tenant }, c.req.valid("param").id);
    if (!found)
      throw new ApiError("not_ready", "there is no preview (yet)", { headers: { "retry-after": "1" } });
    return new Response(new Uint8Array(found.data), {
      headers: {
        "content-type": found.contentType,
        "cache-control": "no-store",
        "x-step": String(found.step),
        "last-modified": new Date(found.at).toUTCString(),
      },
    });
  });
}

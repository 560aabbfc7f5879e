import { cancel, cursorAfter, deleteJob, getJob, listJobs } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import { z } from "zod";
import { validationError } from "../../errors/from-zod.ts";
import { toApiError } from "../../errors/problem.ts";
import { ApiError } from "../../errors/table.ts";
import { type App, createRouter } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { submitRender } from "../../renders/submit.ts";
import { publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { jobPrefix } from "../../store/key.ts";
import { resultUrls } from "../shared/links.ts";
import { uploadLimit } from "../shared/uploads.ts";
import { type Reference, startImageOf, videoRequest } from "./incoming.ts";
import { renderOf, type VideoRequest } from "./request.ts";
import { toVideo } from "./view.ts";

const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  order: z.enum(["asc", "desc"]).default("desc"),
  after: z.string().max(128).optional(),
});

/** `/v1/videos` in the shape of OpenAI's Videos API, for the `openai` clients. */
export function registerOpenAi(app: App, services: Services): void {
  const api = createRouter();
  api.onError((thrown, c) => {
    const error = toApiError(thrown, c.get("requestId"));
    const field = error.errors[0]?.pointer ?? error.errors[0]?.parameter;
    const type = error.status < 500 ? "invalid_request_error" : "server_error";
    const body = {
      message: error.message,
      type,
      param: field?.replace(/^#\//, "") ?? null,
      code: error.code,
    };
    return Response.json({ error: body }, { status: error.status, headers: error.headers });
  });

  const submit = async (
    c: Parameters<typeof principalOf>[0],
    video: VideoRequest,
    { remixOf, reference }: { remixOf?: string; reference?: Reference } = {},
  ) => {
    const packs = services.catalog.packs().map((one) => one.manifest.name);
    const name = video.model !== undefined && packs.includes(video.model) ? video.model : "";
    const render = renderOf(video, services.catalog.pack(name), packs);
    const start_image = await startImageOf(services, principalOf(c), reference);
    const request = { ...render, clip: { ...render.clip, ...(start_image ? { start_image } : {}) } };
    const warnings =
      video.model !== undefined && name === ""
        ? [
            {
              field: "model",
              given: video.model,
              used: "the default pack",
              rule: `known: ${packs.join(", ")}`,
            },
          ]
        : [];
    const extras = remixOf === undefined ? {} : { remixOf };
    return submitRender(services, principalOf(c), request, { dialect: "openai", extras, warnings });
  };

  api.post("/", requireScope("render"), uploadLimit, async (c) => {
    const { video, reference } = await videoRequest(c.req.raw);
    const { job } = await submit(c, video, { reference });
    return c.json(toVideo(job));
  });

  api.post("/:id/remix", requireScope("render"), async (c) => {
    const source = await getJob(services.db, { tenant: principalOf(c).tenant }, c.req.param("id"));
    const { clip } = source.spec;
    const { video } = await videoRequest(c.req.raw);
    const size = clip ? `${clip.width}x${clip.height}` : undefined;
    const { job } = await submit(
      c,
      { prompt: video.prompt, size, seed: clip?.seed },
      { remixOf: publicId(source) },
    );
    return c.json(toVideo(job));
  });

  api.get("/", requireScope("read"), async (c) => {
    const query = ListQuery.safeParse(c.req.query());
    if (!query.success) throw validationError(query.error.issues, "query");
    return c.json(await listVideos(services, principalOf(c).tenant, query.data));
  });

  api.get("/:id", requireScope("read"), async (c) =>
    c.json(toVideo(await getJob(services.db, { tenant: principalOf(c).tenant }, c.req.param("id")))),
  );

  api.delete("/:id", requireScope("cancel"), async (c) => {
    const reader = { tenant: principalOf(c).tenant };
    const job = await getJob(services.db, reader, c.req.param("id"));
    if (!isTerminal(job.status)) await cancel(services.db, reader, job.id);
    else {
      await deleteJob(services.db, reader, job.id);
      await services.store.deletePrefix(jobPrefix(job.id));
    }
    return c.json({ id: publicId(job), object: "video.deleted", deleted: true });
  });

  api.get("/:id/content", requireScope("read"), async (c) => {
    const job = await getJob(services.db, { tenant: principalOf(c).tenant }, c.req.param("id"));
    if (job.status !== "succeeded") throw new ApiError("not_ready", `the video is ${job.status}`);
    const urls = await resultUrls(services, job, c.get("origin"));
    const wanted = c.req.query("variant") ?? "video";
    const url = wanted === "video" ? (urls["clip.mp4"] ?? urls["speech.wav"]) : urls["poster.png"];
    if (url === undefined) throw new ApiError("not_found", `this job has no ${wanted}`);
    return c.redirect(url, 302);
  });

  app.route("/v1/videos", api);
}

async function listVideos(services: Services, tenant: string, query: z.infer<typeof ListQuery>) {
  // Pages are kept newest first; the rare ascending list is turned within its page.
  const after = query.after === undefined ? undefined : await getJob(services.db, { tenant }, query.after);
  const cursor = after && cursorAfter(after);
  const { jobs, nextCursor } = await listJobs(services.db, { tenant }, { limit: query.limit, cursor });
  const data = jobs.map(toVideo);
  if (query.order === "asc") data.reverse();
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: nextCursor !== null,
  };
}

import { cancel, getJob } from "@cartoon/db";
import { type ArtefactName, isTerminal } from "@cartoon/protos";
import type { Context } from "hono";
import { z } from "zod";
import { packOf } from "../../characters/pack-of.ts";
import { validationError } from "../../errors/from-zod.ts";
import { toApiError } from "../../errors/problem.ts";
import { ApiError } from "../../errors/table.ts";
import { type App, type AppEnv, createRouter } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { eventStream } from "../../renders/sse.ts";
import { publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { resultUrls } from "../shared/links.ts";
import { submitInput } from "../shared/submit-input.ts";
import { uploadLimit, uploadUrl } from "../shared/uploads.ts";
import { gradioConfig, gradioInfo } from "./config.ts";
import { keepFiles, startImageOf, voiceOf } from "./files.ts";
import { type GradioFunction, gradioFunctions } from "./functions.ts";
import { jobMessages } from "./messages.ts";
import { failureText, outputData } from "./output.ts";
import { GradioSessions, type SessionJob } from "./sessions.ts";

const Call = z.object({ data: z.array(z.unknown()).max(64).default([]) });
const Join = Call.extend({
  fn_index: z.int().min(0).optional(),
  api_name: z.string().optional(),
  session_hash: z.string().min(1).max(128),
});
const Session = z.string().min(1).max(128);

/** Gradio's API, for `@gradio/client`, `gradio_client` and plain `/gradio_api/call`. */
export function registerGradio(app: App, services: Services): void {
  const sessions = new GradioSessions();
  const functions = async (c: Context<AppEnv>) => {
    const tenant = c.get("principal")?.tenant;
    return gradioFunctions(tenant === undefined ? services.catalog.pack("") : await packOf(services, tenant));
  };
  const api = createRouter();
  api.onError((thrown, c) => {
    const error = toApiError(thrown, c.get("requestId"));
    return Response.json({ detail: error.message }, { status: error.status, headers: error.headers });
  });

  app.get("/config", async (c) => c.json(gradioConfig(await functions(c), c.get("origin"))));
  api.get("/info", async (c) => c.json(gradioInfo(await functions(c))));
  api.get("/startup-events", (c) => c.json(true));
  api.post("/reset", (c) => c.json({ success: true }));

  api.post("/call/:fn", requireScope("render"), async (c) => {
    const { data } = await parse(c, Call);
    const fn = find(await functions(c), (one) => one.apiName === c.req.param("fn"));
    return c.json({ event_id: await submit(c, services, fn, data) });
  });

  api.get("/call/:fn/:id", requireScope("read"), async (c) => {
    const job = await getJob(services.db, { tenant: principalOf(c).tenant }, c.req.param("id"));
    const fn = find(await functions(c), (one) => one.apiName === c.req.param("fn"));
    const origin = c.get("origin");
    c.env?.holdOpen?.();
    return eventStream(services.stopping, async function* (signal) {
      for await (const message of jobMessages(services, job, fn, origin, signal)) {
        if (message.msg === "heartbeat") yield "event: heartbeat\ndata: null\n\n";
        if (message.msg !== "process_completed") continue;
        const ended = await getJob(services.db, { tenant: job.tenant }, job.id);
        const succeeded = ended.status === "succeeded";
        const data = succeeded ? await outputData(services, ended, fn, origin) : failureText(ended);
        yield `event: ${succeeded ? "complete" : "error"}\ndata: ${JSON.stringify(data)}\n\n`;
      }
    });
  });

  api.post("/queue/join", requireScope("render"), async (c) => {
    const body = await parse(c, Join);
    const known = await functions(c);
    const wanted = body.api_name?.replace(/^\//, "");
    const fn = find(known, (one, index) =>
      wanted === undefined ? index === body.fn_index : one.apiName === wanted,
    );
    const jobId = await submit(c, services, fn, body.data);
    sessions.add(principalOf(c).tenant, body.session_hash, { jobId, fn });
    return c.json({ event_id: jobId });
  });

  api.get("/queue/data", requireScope("read"), (c) => {
    const { tenant } = principalOf(c);
    const session = Session.safeParse(c.req.query("session_hash"));
    if (!session.success) throw new ApiError("invalid_request", "session_hash: needed");
    const origin = c.get("origin");
    c.env?.holdOpen?.();
    return eventStream(services.stopping, async function* (signal) {
      for (
        let jobs = sessions.take(tenant, session.data);
        jobs.length > 0;
        jobs = sessions.take(tenant, session.data)
      )
        for await (const message of allMessages(services, tenant, jobs, origin, signal))
          yield `data: ${JSON.stringify(message)}\n\n`;
      yield `data: ${JSON.stringify({ msg: "close_stream", event_id: null })}\n\n`;
    });
  });

  api.post("/cancel", requireScope("cancel"), async (c) => {
    const { event_id } = await parse(c, z.object({ event_id: z.string().max(128) }));
    const reader = { tenant: principalOf(c).tenant };
    const job = await getJob(services.db, reader, event_id);
    if (!isTerminal(job.status)) await cancel(services.db, reader, job.id);
    return c.json({ success: true });
  });

  api.post("/upload", requireScope("render"), uploadLimit, async (c) => {
    const form = await c.req.formData().catch(() => {
      throw new ApiError("invalid_request", "a multipart form with files is needed");
    });
    return c.json(await keepFiles(services, principalOf(c), form));
  });

  api.get("/:file{file=.+}", requireScope("read"), async (c) => {
    const path = c.req.param("file").slice("file=".length);
    const upload = await uploadUrl(services, principalOf(c), path, c.get("origin"));
    if (upload !== undefined) return c.redirect(upload, 302);
    const [id = "", name = ""] = path.split("/");
    const job = await getJob(services.db, { tenant: principalOf(c).tenant }, id);
    const url = (await resultUrls(services, job, c.get("origin")))[name as ArtefactName];
    if (url === undefined) throw new ApiError("not_found", "no such file");
    return c.redirect(url, 302);
  });

  app.route("/gradio_api", api);
}

async function parse<T extends z.ZodType>(c: Context<AppEnv>, schema: T): Promise<z.infer<T>> {
  let body: unknown;
  try {
    body = await c.req.json();
  } catch {
    throw new ApiError("invalid_json", "the body is not valid JSON");
  }
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw validationError(parsed.error.issues);
  return parsed.data;
}

function find(
  functions: GradioFunction[],
  matches: (fn: GradioFunction, index: number) => boolean,
): GradioFunction {
  const fn = functions.find(matches);
  if (fn) return fn;
  const known = functions.map((one) => `/${one.apiName}`).join(", ");
  throw new ApiError("not_found", `no such function; known: ${known}`);
}

async function submit(
  c: Context<AppEnv>,
  services: Services,
  fn: GradioFunction,
  data: unknown[],
): Promise<string> {
  const principal = principalOf(c);
  const given = Object.fromEntries(
    fn.inputs.map((component, index) => [component.name, data[index] ?? component.value]),
  );
  const voice = await voiceOf(services, principal, given);
  const startImage = await startImageOf(services, principal, given);
  const { voice_clip, voice_transcript, voice_character, start_image, start_strength, ...input } = given;
  const { job } = await submitInput(
    services,
    principal,
    { ...input, task_type: fn.task },
    { dialect: "gradio", voices: voice && [voice], startImage },
  );
  return publicId(job);
}

async function* allMessages(
  services: Services,
  tenant: string,
  jobs: SessionJob[],
  origin: string,
  signal: AbortSignal,
) {
  for (const { jobId, fn } of jobs)
    yield* jobMessages(services, await getJob(services.db, { tenant }, jobId), fn, origin, signal);
}

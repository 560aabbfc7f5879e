import { cancel, countJobs, eventsAfter, getJob, listJobs, purgeQueue, retry } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import type { Context } from "hono";
import { toApiError } from "../../errors/problem.ts";
import { ApiError } from "../../errors/table.ts";
import { type App, type AppEnv, createRouter } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { waitForJob } from "../../renders/live.ts";
import { checkWebhookUrl } from "../../renders/request.ts";
import { publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { CALLER_BUCKET, DELIVERED } from "../../store/caller-bucket.ts";
import { registerWebhookStyle } from "../../webhooks/styles.ts";
import { jsonWebhook } from "../shared/json-webhook.ts";
import { submitInput } from "../shared/submit-input.ts";
import { V5_RUNPOD } from "../shared/v5-input/contract.ts";
import { parseJob } from "./request.ts";
import { StreamCursors } from "./stream-cursors.ts";
import { RUNPOD_STATUS, times, toOutput, toStatus } from "./view.ts";

const DIALECT = "runpod";
const STREAM_WAIT_MS = 1_000;
/** RunPod wants exactly 200 and tries twice more. */
const WEBHOOK_PAUSES_MS = [10_000, 10_000];
/** Events that say something to a reader of a stream. */
const STREAMED = new Set(["progress", "warning", "log", "artefact"]);

// RunPod knows 400, 401, 404, 429 and 500; its clients take anything but 200 for a failure, 202 included.
function runpodStatus(status: number): number {
  if (status === 401 || status === 403) return 401;
  if (status === 404 || status === 429) return status;
  return status < 500 ? 400 : 500;
}

/** RunPod's endpoint API at `/v2/{endpoint}`; every endpoint id is this service. */
export function registerRunpod(app: App, services: Services): void {
  registerWebhookStyle(
    DIALECT,
    jsonWebhook(
      async (job, origin, webhook) => ({
        ...(await toStatus(services, job, origin)),
        input: job.extras.input,
        webhook,
      }),
      {
        scheduleMs: WEBHOOK_PAUSES_MS,
        isDelivered: (status) => status === 200,
      },
    ),
  );
  const api = createRouter();
  const cursors = new StreamCursors();
  api.onError((thrown, c) => {
    const error = toApiError(thrown, c.get("requestId"));
    return Response.json(
      { error: error.message },
      { status: runpodStatus(error.status), headers: error.headers },
    );
  });
  const reader = (c: Context<AppEnv>) => ({ tenant: principalOf(c).tenant });
  const find = (c: Context<AppEnv>) => getJob(services.db, reader(c), c.req.param("id") ?? "");
  const short = (id: string, status: string) => ({ id, status });

  const submit = async (c: Context<AppEnv>) => {
    const { input, envelope, bucket } = parseJob(await c.req.text());
    if (bucket) checkWebhookUrl(bucket.endpointUrl, services.config.fetchAllow, "#/s3Config/endpointUrl");
    const { job } = await submitInput(services, principalOf(c), input, {
      dialect: DIALECT,
      contract: V5_RUNPOD,
      webhookStyle: DIALECT,
      envelope,
      ...(bucket ? { extras: { [DELIVERED]: true }, secrets: { [CALLER_BUCKET]: bucket } } : {}),
    });
    return job;
  };
  const waited = async (c: Context<AppEnv>, id: string) => {
    c.env?.holdOpen?.();
    const job = await getJob(services.db, reader(c), id);
    return waitForJob(services.db, services.signals, job, waitMs(c.req.query("wait")), services.stopping);
  };

  api.post("/:endpoint/run", requireScope("render"), async (c) => {
    const job = await submit(c);
    return c.json(short(publicId(job), RUNPOD_STATUS[job.status]));
  });

  api.post("/:endpoint/runsync", requireScope("render"), async (c) => {
    const job = await waited(c, (await submit(c)).id);
    if (!isTerminal(job.status)) return c.json(short(publicId(job), RUNPOD_STATUS[job.status]));
    return c.json(await toStatus(services, job, c.get("origin")));
  });

  api.get("/:endpoint/status/:id", requireScope("read"), async (c) =>
    c.json(await toStatus(services, await find(c), c.get("origin"))),
  );

  api.get("/:endpoint/status-sync/:id", requireScope("read"), async (c) =>
    c.json(await toStatus(services, await waited(c, c.req.param("id")), c.get("origin"))),
  );

  api.get("/:endpoint/stream/:id", requireScope("read"), async (c) => {
    const job = await find(c);
    const after = cursors.get(job.id);
    if (job.eventSeq <= after && !isTerminal(job.status))
      await services.signals.next(job.id, STREAM_WAIT_MS, services.stopping);
    const events = await eventsAfter(services.db, job.id, after);
    cursors.set(job.id, events.at(-1)?.seq ?? after);
    const now = await find(c);
    const chunks: { output: unknown }[] = events
      .filter((event) => STREAMED.has(event.type))
      .map(({ type, data }) => ({ output: { type, ...data } }));
    if (events.some((event) => event.type === "succeeded"))
      chunks.push({ output: await toOutput(services, now, c.get("origin")) });
    // The JavaScript client stops at the first terminal status: the last chunks travel while it is IN_PROGRESS.
    const status = chunks.length > 0 && isTerminal(now.status) ? "IN_PROGRESS" : RUNPOD_STATUS[now.status];
    return c.json({ status, stream: chunks });
  });

  api.post("/:endpoint/cancel/:id", requireScope("cancel"), async (c) => {
    const job = await cancel(services.db, reader(c), c.req.param("id"));
    // A running job stops at its next step; RunPod's answer is the state it is going to.
    const status = isTerminal(job.status) ? RUNPOD_STATUS[job.status] : RUNPOD_STATUS.canceled;
    return c.json({ ...short(publicId(job), status), ...times(job) });
  });

  api.post("/:endpoint/retry/:id", requireScope("render"), async (c) => {
    const job = await find(c);
    if (job.status !== "failed" && job.status !== "timed_out")
      throw new ApiError(
        "conflict",
        `only FAILED and TIMED_OUT jobs can be retried, this is ${RUNPOD_STATUS[job.status]}`,
      );
    const again = await retry(services.db, reader(c), job.id);
    return c.json(short(publicId(again), RUNPOD_STATUS[again.status]));
  });

  api.post("/:endpoint/purge-queue", requireScope("cancel"), async (c) =>
    c.json({ removed: await purgeQueue(services.db, reader(c), { dialect: DIALECT }), status: "completed" }),
  );

  api.get("/:endpoint/requests", requireScope("read"), async (c) => {
    const { jobs } = await listJobs(services.db, reader(c), { dialect: DIALECT, limit: 100 });
    return c.json({
      requests: jobs.map((job) => ({ ...short(publicId(job), RUNPOD_STATUS[job.status]), ...times(job) })),
    });
  });

  api.get("/:endpoint/health", requireScope("read"), async (c) => {
    const counts = await countJobs(services.db, reader(c), { dialect: DIALECT });
    const { permits, freePermits } = services.nodes;
    return c.json({
      jobs: {
        completed: counts.succeeded,
        failed: counts.failed + counts.timed_out,
        inProgress: counts.running + counts.committing,
        inQueue: counts.queued,
        retried: 0,
      },
      workers: {
        idle: freePermits,
        initializing: 0,
        ready: permits,
        running: permits - freePermits,
        throttled: 0,
      },
    });
  });

  app.route("/v2", api);
}

function waitMs(given: string | undefined): number {
  const wait = Number(given ?? 90_000);
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 1_000), 300_000) : 90_000;
}

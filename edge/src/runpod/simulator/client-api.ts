import { Hono } from "hono";
import { isFinal, type SimulatedJob, type SimulatedQueue } from "./queue.ts";
import { jobRequest } from "./request.ts";

const RUN_LIMIT_BYTES = 10_000_000;
const RUNSYNC_LIMIT_BYTES = 20_000_000;

/** The side that clients call: `/run`, `/runsync`, `/status` and the others, always answering 200 as the cloud does. */
export function clientApi(queue: SimulatedQueue) {
  const api = new Hono();

  api.post("/run", async (c) => {
    const request = await jobRequest(c.req.raw, RUN_LIMIT_BYTES);
    if ("problem" in request) return c.json({ error: request.problem }, request.status);
    const job = queue.add(request.job, "");
    return c.json({ id: job.id, status: job.status });
  });

  api.post("/runsync", async (c) => {
    const request = await jobRequest(c.req.raw, RUNSYNC_LIMIT_BYTES);
    if ("problem" in request) return c.json({ error: request.problem }, request.status);
    const job = queue.add(request.job, "sync-");
    await queue.until(() => isFinal(job.status), waitMs(c.req.query("wait")), c.req.raw.signal);
    return c.json(statusBody(job));
  });

  const status = (job: SimulatedJob | undefined) =>
    job ? Response.json(statusBody(job)) : Response.json({ error: "job not found" }, { status: 404 });

  api.get("/status/:id", (c) => {
    queue.expire();
    return status(queue.jobs.get(c.req.param("id")));
  });

  api.get("/status-sync/:id", async (c) => {
    const job = queue.jobs.get(c.req.param("id"));
    if (job) await queue.until(() => isFinal(job.status), waitMs(c.req.query("wait")), c.req.raw.signal);
    return status(job);
  });

  api.get("/stream/:id", async (c) => {
    const job = queue.jobs.get(c.req.param("id"));
    if (!job) return c.json({ error: "job not found" }, 404);
    await queue.until(() => job.stream.length > 0 || isFinal(job.status), 1000, c.req.raw.signal);
    const chunks = job.stream.splice(0);
    // The JavaScript client stops at the first terminal status: the last chunks travel while it still says IN_PROGRESS.
    const shown = chunks.length > 0 && isFinal(job.status) ? "IN_PROGRESS" : job.status;
    return c.json({ status: shown, stream: chunks.map((output) => ({ output })) });
  });

  api.post("/cancel/:id", (c) => {
    const job = queue.jobs.get(c.req.param("id"));
    if (!job) return c.json({ error: "job not found" }, 404);
    queue.stop(job, "CANCELLED");
    return c.json({ id: job.id, status: job.status });
  });

  api.post("/retry/:id", (c) => {
    const job = queue.jobs.get(c.req.param("id"));
    if (!job) return c.json({ error: "job not found" }, 404);
    if (job.status !== "FAILED" && job.status !== "TIMED_OUT")
      return c.json({ error: "only FAILED and TIMED_OUT jobs can be retried" }, 400);
    queue.requeue(job);
    return c.json({ id: job.id, status: job.status });
  });

  api.post("/purge-queue", (c) => {
    const waiting = [...queue.jobs.values()].filter((job) => job.status === "IN_QUEUE");
    for (const job of waiting) queue.jobs.delete(job.id);
    return c.json({ removed: waiting.length, status: "completed" });
  });

  api.get("/requests", (c) => c.json({ requests: [...queue.jobs.values()].map(statusBody) }));

  api.get("/health", (c) => c.json(health(queue)));

  return api;
}

/** `GET /status`: times in whole milliseconds, `error` a string, absent fields left out. */
export function statusBody(job: SimulatedJob) {
  return {
    id: job.id,
    status: job.status,
    delayTime: (job.startedAt ?? Date.now()) - job.createdAt,
    executionTime: job.startedAt ? (job.completedAt ?? Date.now()) - job.startedAt : 0,
    ...(job.output === undefined ? {} : { output: job.output }),
    ...(job.error === undefined ? {} : { error: job.error }),
    ...(job.retries ? { retries: job.retries } : {}),
    ...(job.workerId ? { workerId: job.workerId } : {}),
  };
}

function health(queue: SimulatedQueue) {
  const jobs = [...queue.jobs.values()];
  const count = (status: string) => jobs.filter((job) => job.status === status).length;
  const busy = new Set(jobs.filter((job) => job.status === "IN_PROGRESS").map((job) => job.workerId));
  const running = [...queue.workers.keys()].filter((id) => busy.has(id)).length;
  return {
    jobs: {
      completed: count("COMPLETED"),
      failed: count("FAILED") + count("TIMED_OUT"),
      inProgress: count("IN_PROGRESS"),
      inQueue: count("IN_QUEUE"),
      retried: jobs.filter((job) => job.retries > 0).length,
    },
    workers: {
      idle: queue.workers.size - running,
      initializing: 0,
      ready: queue.workers.size,
      running,
      throttled: 0,
    },
  };
}

function waitMs(given: string | undefined): number {
  const wait = Number(given ?? 90_000);
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 1000), 300_000) : 90_000;
}

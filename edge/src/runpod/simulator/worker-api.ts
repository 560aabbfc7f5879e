import { Hono } from "hono";
import type { SimulatedJob, SimulatedQueue } from "./queue.ts";
import { deliver } from "./webhook.ts";

const TAKE_POLL_MS = 20_000;

/** The side that workers call. Source of the format: runpod-python 1.12.0, `serverless/modules`. */
export function workerApi(queue: SimulatedQueue) {
  const api = new Hono();

  const take = async (workerId: string, count: number, signal: AbortSignal) => {
    queue.workers.set(workerId, Date.now());
    let jobs: SimulatedJob[] = [];
    await queue.until(
      () => {
        if (jobs.length === 0 && !signal.aborted) jobs = queue.take(workerId, count);
        return jobs.length > 0;
      },
      TAKE_POLL_MS,
      signal,
    );
    return jobs.map((job) => ({
      id: job.id,
      input: job.input,
      ...(job.webhook ? { webhook: job.webhook } : {}),
      ...(job.s3Config ? { s3Config: job.s3Config } : {}),
    }));
  };

  api.get("/job-take/:worker", async (c) => {
    const [job] = await take(c.req.param("worker"), 1, c.req.raw.signal);
    return job ? c.json(job) : c.body(null, 204);
  });

  api.get("/job-take-batch/:worker", async (c) => {
    const size = Number(c.req.query("batch_size") ?? 1);
    if (!Number.isInteger(size) || size < 1)
      return c.json({ error: "batch_size: a whole number from 1" }, 400);
    const jobs = await take(c.req.param("worker"), size, c.req.raw.signal);
    return jobs.length > 0 ? c.json(jobs) : c.body(null, 204);
  });

  api.get("/job-stop/:worker", async (c) => {
    const worker = c.req.param("worker");
    await queue.until(() => (queue.stops.get(worker)?.length ?? 0) > 0, TAKE_POLL_MS, c.req.raw.signal);
    const jobsToStop = queue.stops.get(worker) ?? [];
    queue.stops.delete(worker);
    return jobsToStop.length > 0 ? c.json({ jobsToStop }) : c.body(null, 204);
  });

  api.post("/job-done/:worker/:id", async (c) => {
    const job = queue.jobs.get(c.req.param("id"));
    if (!job) return c.json({ error: "job not found" }, 404);
    const body: Record<string, unknown> = JSON.parse((await c.req.text()) || "{}");
    if (body.status === "IN_PROGRESS") {
      job.output = body.output;
      queue.wake();
      return c.json({ ok: true });
    }
    if (body.error === undefined) queue.finish(job, "COMPLETED", { output: body.output });
    else
      queue.finish(job, "FAILED", {
        error: typeof body.error === "string" ? body.error : JSON.stringify(body.error),
      });
    void deliver(job);
    return c.json({ ok: true });
  });

  api.post("/job-stream/:worker/:id", async (c) => {
    const job = queue.jobs.get(c.req.param("id"));
    if (!job) return c.json({ error: "job not found" }, 404);
    const body: Record<string, unknown> = JSON.parse((await c.req.text()) || "{}");
    job.stream.push(body.output);
    queue.wake();
    return c.json({ ok: true });
  });

  api.get("/ping/:worker", (c) => {
    queue.workers.set(c.req.param("worker"), Date.now());
    return c.json({ ok: true });
  });

  return api;
}

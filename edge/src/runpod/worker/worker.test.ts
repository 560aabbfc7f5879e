// What the worker says on the wire, call by call. Source of the format: runpod-python 1.12.0.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bucketOf } from "./bucket.ts";
import { workerSettings } from "./environment.ts";
import { type Handler, runWorker, type WorkerOptions } from "./worker.ts";

interface Call {
  method: string;
  path: string;
  query: string;
  headers: Record<string, unknown>;
  body: string;
}

const calls: Call[] = [];
let batches: object[][] = [];
let stops: string[] = [];
/** Status of the next answers to results. */
let refusals: number[] = [];
const platform = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    const url = new URL(request.url ?? "", "http://platform");
    calls.push({
      method: request.method ?? "",
      path: url.pathname,
      query: url.search,
      headers: request.headers,
      body,
    });
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (url.pathname.startsWith("/job-take")) {
      const batch = batches.shift();
      if (batch) return json(url.pathname.startsWith("/job-take-batch") ? batch : batch[0]);
      return void setTimeout(() => response.writeHead(204).end(), 20);
    }
    if (url.pathname.startsWith("/job-stop")) {
      const jobsToStop = stops;
      stops = [];
      if (jobsToStop.length > 0) return json({ jobsToStop });
      return void setTimeout(() => response.writeHead(204).end(), 20);
    }
    json({}, url.pathname.startsWith("/job-done") ? (refusals.shift() ?? 200) : 200);
  });
});
await new Promise<void>((resolve) => platform.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`;
afterAll(() => {
  platform.closeAllConnections();
  platform.close();
});
beforeEach(() => {
  calls.length = 0;
  batches = [];
  stops = [];
  refusals = [];
});

const settings = workerSettings({
  RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID?gpu=none`,
  RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
  RUNPOD_WEBHOOK_POST_STREAM: `${base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none`,
  RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID`,
  RUNPOD_PING_INTERVAL: "100",
  RUNPOD_AI_API_KEY: "raw-key",
  RUNPOD_POD_ID: "pod-1",
});

/** Runs a worker until `enough` holds. */
async function work(
  handler: Handler,
  enough: () => boolean,
  more: Partial<WorkerOptions> = {},
): Promise<void> {
  const stopping = new AbortController();
  const options = { settings, handler, concurrency: 1, checks: [], log: () => {}, ...more };
  const running = runWorker(options, stopping.signal);
  const failed = running.then(() => {});
  while (!enough()) await Promise.race([new Promise((resolve) => setTimeout(resolve, 10)), failed]);
  stopping.abort();
  await running;
}
const to = (path: string) => calls.filter((call) => call.path.startsWith(path));

test("one job: take, progress, chunks, result", async () => {
  batches = [[{ id: "job-1", input: { text: "hi" } }]];
  await work(
    async (job, context) => {
      context.progress({ percent: 10 });
      context.stream("first");
      return { output: { said: (job.input as { text: string }).text } };
    },
    () => to("/job-done").length > 1,
  );
  expect(to("/job-take/")[0]).toMatchObject({ method: "GET", query: "?gpu=none&job_in_progress=0" });
  const [progress, result] = to("/job-done/pod-1/job-1");
  expect(progress).toMatchObject({ query: "?gpu=none&isStream=false" });
  expect(JSON.parse(progress?.body ?? "")).toEqual({ status: "IN_PROGRESS", output: { percent: 10 } });
  expect(to("/job-stream/pod-1/job-1")[0]).toMatchObject({
    query: "?gpu=none&isStream=false",
    body: '{"output":"first"}',
  });
  expect(result).toMatchObject({
    method: "POST",
    query: "?gpu=none&isStream=true",
    body: '{"output":{"said":"hi"}}',
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      charset: "utf-8",
      "x-request-id": "job-1",
      authorization: "raw-key",
    },
  });
});

test("several at once are taken as a batch, the size before the rest", async () => {
  batches = [
    [
      { id: "a", input: {} },
      { id: "b", input: {} },
    ],
  ];
  const seen: string[] = [];
  await work(
    async (job) => {
      seen.push(job.id);
      return { output: job.id };
    },
    () => to("/job-done").length === 2,
    { concurrency: 3 },
  );
  expect(seen).toEqual(["a", "b"]);
  expect(to("/job-take-batch/")[0]?.query).toBe("?gpu=none&batch_size=3&job_in_progress=0");
});

test("a stop reaches the job, and pings name what runs", async () => {
  batches = [[{ id: "long", input: {} }]];
  let ended = "";
  await work(
    async (_job, { signal }) => {
      while (to("/ping/pod-1").length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      stops = ["long"];
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      ended = "stopped";
      return { output: ended };
    },
    () => to("/job-done").length > 0,
  );
  expect(ended).toBe("stopped");
  expect(to("/job-stop/pod-1")[0]).toMatchObject({ method: "GET" });
  expect(to("/ping/pod-1").some(({ query }) => /job_id=long&runpod_version=/.test(query))).toBe(true);
  expect(to("/ping/pod-1")[0]?.headers.authorization).toBe("raw-key");
});

test("an error is a JSON string, with a fresh worker where the device is spoilt", async () => {
  batches = [[{ id: "bad", input: {} }]];
  await work(
    async () => ({ error: new RangeError("poison: it has killed two nodes"), refresh: true }),
    () => to("/job-done").length > 0,
  );
  const body = JSON.parse(to("/job-done")[0]?.body ?? "");
  expect(body.stopPod).toBe(true);
  expect(JSON.parse(body.error)).toMatchObject({ error_type: "RangeError", worker_id: "pod-1" });
});

test("a result that is not taken is sent again, long after the official worker has given up", async () => {
  batches = [[{ id: "again", input: {} }]];
  refusals = [502, 500];
  await work(
    async () => ({ output: 1 }),
    () => to("/job-done").length === 3,
  );
  expect(new Set(to("/job-done").map(({ body }) => body))).toEqual(new Set(['{"output":1}']));
}, 20_000);

test("a worker that is not fit says why, and takes nothing", async () => {
  const checks = [{ name: "edge", run: () => Promise.reject(new Error("no node is ready")) }];
  const running = work(
    async () => ({}),
    () => false,
    { checks },
  );
  await expect(running).rejects.toThrow("fitness check edge failed: no node is ready");
  expect(to("/ping/pod-1")[0]?.query).toContain("status=unhealthy&check=edge&reason=no+node+is+ready");
  expect(to("/job-take")).toEqual([]);
});

test("the environment is checked as a whole", () => {
  expect(() => workerSettings({ RUNPOD_WEBHOOK_GET_JOB: "nowhere" })).toThrow(
    /RUNPOD_WEBHOOK_GET_JOB.*RUNPOD_WEBHOOK_POST_OUTPUT/,
  );
  expect(bucketOf({})).toBeUndefined();
  expect(() => bucketOf({ BUCKET_ENDPOINT_URL: "https://s3.example.com/clips" })).toThrow(
    /BUCKET_ACCESS_KEY_ID/,
  );
});

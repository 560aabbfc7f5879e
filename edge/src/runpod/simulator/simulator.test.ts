import { afterAll, beforeAll, expect, test } from "bun:test";
import runpodSdk from "runpod-sdk";
import { workerSettings } from "../worker/environment.ts";
import { runWorker } from "../worker/worker.ts";
import { simulator, workerEnvironment } from "./simulator.ts";

const sim = simulator("secret-key");
const stopping = new AbortController();
let base: string;
let server: Bun.Server<undefined>;
let worker: Promise<void>;

beforeAll(() => {
  server = Bun.serve({ port: 0, idleTimeout: 0, fetch: sim.app.fetch });
  base = `http://127.0.0.1:${server.port}`;
  worker = runWorker(
    {
      settings: workerSettings(workerEnvironment(base, "cartoon", "worker-1", "secret-key")),
      concurrency: 2,
      checks: [],
      log: () => {},
      handler: async (job, context) => {
        const input = job.input as { text?: string; wait?: boolean };
        context.progress({ percent: 50 });
        if (input.text === "fail") throw new TypeError("no such character");
        if (input.wait) {
          await new Promise<void>((resolve) => context.signal.addEventListener("abort", () => resolve()));
          return { output: "stopped" };
        }
        context.stream("first");
        context.stream("second");
        return { output: { said: input.text } };
      },
    },
    stopping.signal,
  );
});

afterAll(async () => {
  stopping.abort();
  server.stop(true);
  await worker;
});

const client = () => {
  const endpoint = runpodSdk("secret-key", { baseUrl: `${base}/v2` }).endpoint("cartoon");
  if (!endpoint) throw new Error("no endpoint");
  return endpoint;
};

test("the official JavaScript client runs a job on our worker", async () => {
  const done = await client().runSync({ input: { text: "hello" } }, 10_000);
  expect(done).toMatchObject({ status: "COMPLETED", output: { said: "hello" } });
});

test("chunks arrive before the terminal status", async () => {
  const started = await client().run({ input: { text: "hello" } });
  const chunks: unknown[] = [];
  for await (const chunk of client().stream(started.id)) chunks.push(chunk.output);
  expect(chunks).toEqual(["first", "second"]);
});

test("a thrown error comes back as the official worker's JSON string", async () => {
  const failed = await client().runSync({ input: { text: "fail" } }, 10_000);
  expect(failed.status).toBe("FAILED");
  const error = JSON.parse(String((failed as { error?: string }).error));
  expect(error).toMatchObject({
    error_type: "TypeError",
    error_message: "no such character",
    worker_id: "worker-1",
  });
});

test("cancel reaches the running handler", async () => {
  const started = await client().run({ input: { wait: true } });
  while ((await client().status(started.id)).status !== "IN_PROGRESS") await Bun.sleep(20);
  expect(await client().cancel(started.id)).toMatchObject({ status: "CANCELLED" });
  expect((await client().health()) as object).toMatchObject({ workers: { throttled: 0 } });
});

test("a wrong key is a real 401", async () => {
  const response = await fetch(`${base}/v2/cartoon/health`, { headers: { authorization: "Bearer other" } });
  expect(response.status).toBe(401);
});

test("the double wrapping of the Python client is undone, purge and retry follow the rules", async () => {
  const post = (path: string, body: unknown) =>
    fetch(`${base}/v2/other${path}`, {
      method: "POST",
      headers: { authorization: "secret-key" },
      body: JSON.stringify(body),
    });
  const queued = (await (await post("/run", { input: { input: { text: "twice" } } })).json()) as {
    id: string;
  };
  expect(sim.queues.get("other")?.jobs.get(queued.id)?.input).toEqual({ text: "twice" });
  expect((await post(`/retry/${queued.id}`, {})).status).toBe(400);
  expect(await (await post("/purge-queue", {})).json()).toEqual({ removed: 1, status: "completed" });
});

import { afterAll, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SimulatedQueue } from "./queue.ts";
import { deliver } from "./webhook.ts";

test("a job over its execution time-out ends, and its worker is told to stop", () => {
  const queue = new SimulatedQueue();
  const job = queue.add({ input: {}, policy: { executionTimeout: 5_000 } }, "");
  queue.take("w1", 1);
  queue.expire(Date.now() + 4_000);
  expect(job.status).toBe("IN_PROGRESS");
  queue.expire(Date.now() + 6_000);
  expect(job).toMatchObject({ status: "TIMED_OUT", error: "job timed out" });
  expect(queue.stops.get("w1")).toEqual([job.id]);
  queue.finish(job, "COMPLETED", { output: "too late" });
  expect(job.status).toBe("TIMED_OUT");
});

test("a job past its time to live is gone, even while it runs", () => {
  const queue = new SimulatedQueue();
  const job = queue.add({ input: {}, policy: { ttl: 10_000 } }, "");
  queue.take("w1", 1);
  queue.expire(Date.now() + 11_000);
  expect(queue.jobs.has(job.id)).toBe(false);
  expect(queue.stops.get("w1")).toEqual([job.id]);
});

test("low priority goes last; a retry keeps its id and counts", () => {
  const queue = new SimulatedQueue();
  const low = queue.add({ input: 1, policy: { lowPriority: true } }, "");
  const first = queue.add({ input: 2 }, "");
  expect(queue.take("w1", 2).map(({ id }) => id)).toEqual([first.id, low.id]);
  queue.finish(first, "FAILED", { error: "x" });
  queue.requeue(first);
  expect(first).toMatchObject({ status: "IN_QUEUE", retries: 1, error: undefined });
});

const seen: { body: unknown; status: number }[] = [];
let answers: number[] = [];
const hook = createServer((request, response) => {
  let text = "";
  request.on("data", (chunk) => {
    text += chunk;
  });
  request.on("end", () => {
    const status = answers.shift() ?? 200;
    seen.push({ body: JSON.parse(text), status });
    response.writeHead(status).end();
  });
});
await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
afterAll(() => {
  hook.closeAllConnections();
  hook.close();
});

test("a webhook wants exactly 200 and is tried three times, for failures too", async () => {
  const queue = new SimulatedQueue();
  const webhook = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  const job = queue.add({ input: { a: 1 }, webhook }, "");
  queue.finish(job, "FAILED", { error: "no" });
  answers = [500, 202, 200];
  expect(await deliver(job, 1)).toBe(true);
  expect(seen.map(({ status }) => status)).toEqual([500, 202, 200]);
  expect(seen[0]?.body).toMatchObject({
    id: job.id,
    status: "FAILED",
    error: "no",
    input: { a: 1 },
    webhook,
  });
  answers = [500, 500, 500, 200];
  expect(await deliver(job, 1)).toBe(false);
});

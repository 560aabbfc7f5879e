import { afterAll, expect, test } from "bun:test";
import { createFalClient } from "@fal-ai/client";
import { startHarness } from "./harness.ts";

const h = await startHarness();
afterAll(() => h.stop());

// The client knows its own host only; its middleware points it here, as its documentation has it.
const client = createFalClient({
  credentials: "any",
  requestMiddleware: async (request) => ({
    ...request,
    url: request.url.replace(/^https:\/\/queue\.[^/]+/, `${h.url}/fal`),
  }),
});
const model = "cartoon/animation";
const input = { prompt: "temo and felfel dance", character: "both", seed: 5 };

test("the official client subscribes: queue, progress, result", async () => {
  const seen: string[] = [];
  const { data, requestId } = await client.subscribe(model, {
    input,
    logs: true,
    pollInterval: 20,
    onQueueUpdate: (update) => seen.push(update.status),
  });
  const result = data as { video: { url: string; content_type: string }; seed: number };
  expect(result).toMatchObject({ seed: 5, video: { content_type: "video/mp4" } });
  expect((await fetch(result.video.url)).status).toBe(200);
  expect(seen.at(-1)).toBe("COMPLETED");
  expect((await h.call("GET", `/v1/predictions/${requestId}`)).body.status).toBe("succeeded");
});

test("submit, status with logs, result and cancel", async () => {
  const queued = await client.queue.submit(model, { input, priority: "low" });
  expect(queued.status).toBe("IN_QUEUE");
  await h.finished(queued.request_id);
  const status = await client.queue.status(model, { requestId: queued.request_id, logs: true });
  expect(status.status).toBe("COMPLETED");
  expect("logs" in status && status.logs?.[0]).toMatchObject({ level: "INFO", message: "queued" });
  const late = await h.call("PUT", `/fal/${model}/requests/${queued.request_id}/cancel`);
  expect(late).toMatchObject({ status: 400, body: { status: "ALREADY_COMPLETED" } });
  expect((await h.call("GET", `/v1/renders/${queued.request_id}`)).body.priority).toBe("low");
});

test("streams its status", async () => {
  const { request_id } = await client.queue.submit(model, { input });
  const stream = await client.queue.streamStatus(model, { requestId: request_id, logs: true });
  const seen: string[] = [];
  for await (const update of stream) seen.push(update.status);
  expect(seen[0]).toBe("IN_QUEUE");
  expect(seen.at(-1)).toBe("COMPLETED");
});

test("a bad input is a validation error that names the field", async () => {
  const failure = await client.queue
    .submit(model, { input: { prompt: "x", character: "garfield" } })
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ status: 422, body: { detail: [{ loc: ["body", "character"] }] } });
});

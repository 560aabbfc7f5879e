import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { getJob, openDatabase } from "@cartoon/db";
import runpodSdk from "runpod-sdk";
import { startHarness } from "./harness.ts";
import { playThrough } from "./scripted-node.ts";

const h = await startHarness({
  script: async (run) => {
    if (run.request.spec?.clip?.prompt.includes("fail")) {
      run.send({ failed: { code: "out_of_memory", message: "too large", retryable: false } });
      return run.end();
    }
    return playThrough()(run);
  },
});
afterAll(() => h.stop());

const client = () => {
  const endpoint = runpodSdk("any", { baseUrl: `${h.url}/v2` }).endpoint("cartoon");
  if (!endpoint) throw new Error("no endpoint");
  return endpoint;
};
const input = {
  task_type: "combined",
  characters: ["temo", "felfel"],
  prompt: "both dance",
  dialogue_text: "Temo: Hi!",
};

test("runSync gives v5's output", async () => {
  const done = await client().runSync({ input }, 20_000);
  expect(done.status).toBe("COMPLETED");
  expect(done.output).toMatchObject({
    task_type: "combined",
    character: "temo,felfel",
    prompt: "both dance",
  });
  expect(done.output.mp4).toStartWith("data:video/mp4;base64,");
  expect(Number.isInteger(done.delayTime) && Number.isInteger(done.executionTime)).toBe(true);
});

test("run, status, stream to the last chunk, and the same id elsewhere", async () => {
  const { id } = await client().run({ input });
  const chunks: { output: { type?: string; mp4?: string } }[] = [];
  for await (const chunk of client().stream(id)) chunks.push(chunk);
  expect(chunks.at(-1)?.output.mp4).toBeString();
  expect(chunks.some((chunk) => chunk.output.type === "progress")).toBe(true);
  expect((await client().status(id)).status).toBe("COMPLETED");
  expect((await h.call("GET", `/v2/cartoon/stream/${id}`)).body).toEqual({ status: "COMPLETED", stream: [] });
  expect((await h.call("GET", `/v1/renders/${id}`)).body.id).toBe(id);
});

test("a failure is 200 with an error string; it can be retried, a success can't", async () => {
  const failed = await client().runSync({ input: { ...input, prompt: "fail please" } }, 20_000);
  expect(failed).toMatchObject({ status: "FAILED", error: "out_of_memory: too large" } as object);
  expect((await h.call("POST", `/v2/cartoon/retry/${failed.id}`)).body).toEqual({
    id: failed.id,
    status: "IN_QUEUE",
  });
  const { id } = await client().runSync({ input }, 20_000);
  expect((await h.call("POST", `/v2/cartoon/retry/${id}`)).status).toBe(400);
});

test("double wrapping, low priority, unknown ids, health", async () => {
  const { body } = await h.call("POST", "/v2/cartoon/run", {
    input: { input },
    policy: { lowPriority: true },
  });
  const render = await h.finished(body.id);
  expect(render.priority).toBe("low");
  expect((await h.call("GET", "/v2/cartoon/status/job_none")).status).toBe(404);
  expect((await h.call("POST", "/v2/cartoon/run", { input: [] })).status).toBe(400);
  expect((await h.call("POST", "/v2/cartoon/cancel/job_none", {})).status).toBe(404);
  expect(await client().health()).toMatchObject({
    jobs: { inQueue: 0 },
    workers: { throttled: 0 },
  } as object);
  expect(await client().purgeQueue()).toMatchObject({ removed: 0, status: "completed" } as object);
});

test("the policy's limits are the job's", async () => {
  const policy = { executionTimeout: 60_000, ttl: 120_000, lowPriority: true };
  const { body } = await h.call("POST", "/v2/cartoon/run", { input, policy });
  const db = await openDatabase(join(h.dataDir, "cartoon.db"));
  const job = await getJob(db, { operator: true }, body.id);
  await db.close();
  expect(job).toMatchObject({ executionTimeoutMs: 60_000, priority: "low" });
  expect((await h.call("POST", "/v2/cartoon/run", { input, policy: { ttl: 1 } })).status).toBe(400);
});

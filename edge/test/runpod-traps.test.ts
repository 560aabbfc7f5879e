// What RunPod's own clients stumble over (runpod-sdk 1.1.2 from npm, runpod 1.12.0 from PyPI, go-sdk), one test each;
// the numbers are those of docs/dialects.md. `python-clients.test.ts` drives the Python one.
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createKey, openDatabase } from "@cartoon/db";
import runpodSdk from "runpod-sdk";
import { sleep, startHarness } from "./harness.ts";
import { playThrough } from "./scripted-node.ts";

let open: () => void = () => {};
const gate = new Promise<void>((resolve) => {
  open = resolve;
});
const h = await startHarness({
  permits: 1,
  script: async (run) => {
    const prompt = run.request.spec?.clip?.prompt ?? "";
    if (prompt.includes("wait")) await gate;
    if (prompt.includes("fail")) {
      run.send({ failed: { code: "out_of_memory", message: "too large", retryable: false } });
      return run.end();
    }
    return playThrough()(run);
  },
});
afterAll(async () => {
  open();
  await h.stop();
});

const sdk = (key: string, url = h.url) => {
  const endpoint = runpodSdk(key, { baseUrl: `${url}/v2` }).endpoint("cartoon");
  if (!endpoint) throw new Error("no endpoint");
  return endpoint;
};
const client = sdk("any");
const input = (prompt: string) => ({ task_type: "animation", character: "temo", prompt });
const get = (path: string) => h.call("GET", `/v2/cartoon${path}`);
const post = (path: string, body: unknown = {}) => h.call("POST", `/v2/cartoon${path}`, body);

// The only permit is taken: what comes after it is still in the queue.
const busy = (await client.run({ input: input("wait a little") })).id;
const queued = (await client.run({ input: input("after it") })).id;
while ((await client.status(busy)).status !== "IN_PROGRESS") await sleep(10);

test("1: every answer is 200, never 202, also while a job waits", async () => {
  expect((await post("/run", { input: input("one more") })).status).toBe(200);
  const short = await post("/runsync?wait=1000", { input: input("not soon") });
  expect([short.status, short.body.status]).toEqual([200, "IN_QUEUE"]);
  for (const path of ["status", "stream"]) expect((await get(`/${path}/${queued}`)).status).toBe(200);
  expect((await get(`/status-sync/${queued}?wait=1000`)).status).toBe(200);
});

test("2: run, status, cancel, health and purge do not wait for the pool", async () => {
  // The client gives up after three seconds.
  const { id } = await client.run({ input: input("soon canceled") });
  expect((await client.status(id)).status).toBe("IN_QUEUE");
  expect(await client.cancel(id)).toMatchObject({ id, status: "CANCELLED" });
  expect((await client.health()) as object).toMatchObject({ jobs: { inProgress: 1 }, workers: { idle: 0 } });
  expect(await client.purgeQueue()).toMatchObject({ status: "completed" } as object);
});

test("3: `stream` is an array on every answer", async () => {
  for (const id of [queued, busy]) expect((await get(`/stream/${id}`)).body.stream).toBeArray();
  const { id } = await client.run({ input: input("never") });
  await client.cancel(id);
  const drained = [(await get(`/stream/${id}`)).body, (await get(`/stream/${id}`)).body];
  for (const { stream } of drained) expect(stream).toBeArray();
});

test("4 and 5: the last chunks come before the terminal status, each with an `output`", async () => {
  open();
  const { id } = await client.run({ input: input("to the end") });
  const answers: { status: string; stream: { output?: unknown }[] }[] = [];
  do answers.push((await get(`/stream/${id}`)).body);
  while (!["COMPLETED", "FAILED"].includes(answers.at(-1)?.status ?? ""));
  expect(answers.at(-1)).toEqual({ status: "COMPLETED", stream: [] });
  const chunks = answers.flatMap(({ stream }) => stream);
  expect(chunks.every((chunk) => chunk.output !== undefined)).toBe(true);
  expect(chunks.at(-1)?.output).toHaveProperty("mp4");
  for (const { status, stream } of answers) if (stream.length > 0) expect(status).toBe("IN_PROGRESS");
  const read: unknown[] = [];
  for await (const chunk of client.stream((await client.run({ input: input("again") })).id)) read.push(chunk);
  expect(JSON.stringify(read.at(-1))).toContain("mp4");
});

test("6: a canceled job says CANCELLED, which the Python client's stream() takes for running", async () => {
  const { id } = await client.run({ input: input("gone before it is begun") });
  await client.cancel(id);
  for (let tries = 0; tries < 100 && (await client.status(id)).status === "IN_PROGRESS"; tries++)
    await sleep(20);
  expect((await client.status(id)).status).toBe("CANCELLED");
  expect((await get(`/stream/${id}`)).body).toMatchObject({ stream: expect.any(Array) });
});

test("7: the Python client's double wrapping of an empty input is undone", async () => {
  const wrapped = await post("/run", { input: { input: {} } });
  expect(wrapped).toMatchObject({ status: 400, body: { error: expect.stringContaining("prompt") } });
  expect((await post("/run", { input: { input: input("twice") } })).status).toBe(200);
});

test("8: times and retries are whole numbers, `error` is a string", async () => {
  const failed = (await client.runSync({ input: input("fail") }, 20_000)) as unknown as Record<
    string,
    unknown
  >;
  expect(failed).toMatchObject({ status: "FAILED", error: expect.any(String) });
  await post(`/retry/${failed.id}`);
  const again = (await get(`/status-sync/${failed.id}`)).body;
  for (const field of ["delayTime", "executionTime", "retries"])
    expect(Number.isInteger(again[field])).toBe(true);
});

test("9: a wrong key is a real 401, raw and as a bearer token", async () => {
  const guarded = await startHarness({ env: { CARTOON_AUTH: "keys" } });
  try {
    const db = await openDatabase(join(guarded.dataDir, "cartoon.db"));
    const { token } = await createKey(db, { tenant: "a", name: "a" });
    await db.close();
    const status = async (authorization: string) =>
      (await guarded.call("GET", "/v2/cartoon/health", undefined, { authorization })).status;
    expect(await status(token)).toBe(200);
    expect(await status(`Bearer ${token}`)).toBe(200);
    expect(await status("Bearer nobody")).toBe(401);
    await expect(sdk("nobody", guarded.url).run({ input: input("x") })).rejects.toThrow("401");
  } finally {
    await guarded.stop();
  }
});

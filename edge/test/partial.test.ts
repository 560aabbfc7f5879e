import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sleep, startHarness } from "./harness.ts";
import { playThrough, type ScriptedRun } from "./scripted-node.ts";

const slow = playThrough({ steps: 500, stepMs: 10 });
const h = await startHarness({ script: slow });
afterAll(() => h.stop());

const submit = async (body: object = { clip: { prompt: "temo" } }): Promise<string> =>
  (await h.call("POST", "/v1/renders", body)).body.id;
async function running(id: string): Promise<ScriptedRun> {
  for (;;) {
    const run = h.node.runs.find(({ request }) => request.job_id === id);
    if (run) return run;
    await sleep(5);
  }
}
const cancel = (id: string, body?: unknown, headers?: Record<string, string>) =>
  h.call("POST", `/v1/renders/${id}/cancel?wait=15`, body, headers);
const names = (body: { results: { name: string }[] }) => body.results.map(({ name }) => name).sort();

test("a canceled render shows its clip as far as it got, behind a signed URL, beside the receipt", async () => {
  const id = await submit({ clip: { prompt: "temo" }, output: { formats: ["gif"] } });
  await running(id);
  await sleep(100);
  const { status, body } = await cancel(id, { partial: true });
  expect([status, body.status]).toEqual([200, "canceled"]);
  expect(names(body)).toEqual(["clip.mp4", "poster.png"]);
  expect(body.receipt.steps_done).toBeGreaterThan(0);
  expect(body.receipt.device_seconds).toBeGreaterThan(0);
  expect(Date.parse(body.results_expire_at)).toBeGreaterThan(Date.now());
  for (const { url, sha256 } of body.results) {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
    expect(new TextDecoder().decode(bytes)).toContain("steps");
  }
  const [first] = body.results;
  expect((await fetch(first.url.replace(/.$/, (last: string) => (last === "A" ? "B" : "A")))).status).toBe(
    403,
  );
  expect((await h.call("GET", `/v1/renders/${id}/results/clip.mp4`)).status).toBe(302);
  const log = String((await h.call("GET", `/v1/renders/${id}/events`)).body);
  expect(log).toMatch(/event: cancel_requested\ndata: .*"partial":true/);
});

test("without it there is the receipt alone, whatever the body", async () => {
  for (const [body, headers] of [
    [undefined, {}],
    [undefined, { "content-type": "application/json" }],
    [{}, {}],
    [{ partial: false }, {}],
  ] as const) {
    const id = await submit();
    await running(id);
    const answer = await cancel(id, body, headers);
    expect([answer.status, answer.body.status, answer.body.results]).toEqual([200, "canceled", []]);
    expect(answer.body.receipt).not.toBeNull();
  }
});

test("what is wrong in the body is named, and cancels nothing", async () => {
  const id = await submit();
  const run = await running(id);
  const wrong = await cancel(id, { partial: "yes" });
  expect([wrong.status, wrong.body.errors[0].pointer]).toEqual([422, "#/partial"]);
  expect((await cancel(id, { clip: true })).status).toBe(422);
  expect((await cancel(id, "{")).status).toBe(400);
  expect(run.stopAsked).toBe(false);
  await cancel(id);
});

test("a render that waits, or that only speaks, has nothing to show", async () => {
  const spoken = await submit({ speech: { lines: [{ speaker: "temo", text: "Hello!" }] } });
  await running(spoken);
  const answer = await cancel(spoken, { partial: true });
  expect([answer.body.status, answer.body.results]).toEqual(["canceled", []]);
  h.node.setHealth("NODE_HEALTH_DRAINING");
  await sleep(50);
  const waiting = await submit();
  const ended = await cancel(waiting, { partial: true });
  expect([ended.status, ended.body.status, ended.body.results]).toEqual([200, "canceled", []]);
  h.node.setHealth("NODE_HEALTH_READY");
});

test("a clip that is not what the node says it is, is left out; the render is canceled all the same", async () => {
  h.node.script = async (run) => {
    run.send({ accepted: { node_id: "scripted", device: "cpu", resumed_step: 0 } });
    while (!run.stopAsked) await sleep(5);
    const artefact = await run.upload("poster.png", Buffer.from("a poster"));
    const lie = { ...artefact, sha256: "0".repeat(64) };
    const receipt = { steps_done: 1, steps_total: 4, device_seconds: 1, stages: [] };
    run.send({ canceled: { receipt, artefacts: [lie] } });
    run.end();
  };
  const id = await submit();
  await running(id);
  const { body } = await cancel(id, { partial: true });
  expect([body.status, body.results, body.receipt.steps_done]).toEqual(["canceled", [], 1]);
  h.node.script = slow;
});

test("retried, it starts anew: what there was is gone, and the next cancel is a plain one", async () => {
  const id = await submit();
  await running(id);
  expect(names((await cancel(id, { partial: true })).body)).toHaveLength(2);
  const { body } = await h.call("POST", `/v1/renders/${id}/retry`);
  expect([body.results, body.results_expire_at]).toEqual([[], null]);
  while (h.node.runs.filter(({ request }) => request.job_id === id).length < 2) await sleep(5);
  expect((await cancel(id)).body.results).toEqual([]);
});

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { start } from "../src/main.ts";
import { serveHere, sleep, startHarness } from "./harness.ts";
import { playThrough, type Script, ScriptedNode } from "./scripted-node.ts";

const h = await startHarness();
afterAll(() => h.stop());
beforeEach(() => {
  h.node.script = playThrough();
  h.node.runs.length = 0;
});

const accepted = { accepted: { node_id: "scripted", device: "cpu", resumed_step: 0 } };
const submit = async (extra = {}) =>
  (await h.call("POST", "/v1/renders", { prompt: "temo waves", seed: 1, ...extra })).body.id as string;
const events = async (id: string) => {
  const text = await (await fetch(`${h.url}/v1/renders/${id}/events`)).text();
  return [...text.matchAll(/^event: (.*)$/gm)].map((match) => match[1]);
};

/** Plays once what is given first, then through. */
const first = (script: Script): void => {
  let played = false;
  h.node.script = (run) => {
    if (played) return playThrough()(run);
    played = true;
    return script(run);
  };
};

describe("what nodes do to jobs", () => {
  test("a node that dies costs the job one lease; the next attempt goes on from the checkpoint", async () => {
    const state = Buffer.from("latents and random state");
    let resumedFrom = "";
    h.node.script = async (run) => {
      if (run.request.attempt === 2) {
        resumedFrom = await (await fetch(run.request.checkpoint?.get_url ?? "")).text();
        return playThrough()(run);
      }
      run.send(accepted);
      await run.checkpoint(5, state);
      await sleep(20);
      run.cut();
    };
    const id = await submit();
    expect((await h.finished(id)).status).toBe("succeeded");
    const [one, two] = h.node.runs;
    expect(two?.request.attempt).toBe(2);
    expect(two?.request.fence).toBeGreaterThan(one?.request.fence ?? 0);
    expect(resumedFrom).toBe(state.toString());
    expect(two?.request.checkpoint?.get_sha256).toHaveLength(64);
    expect(await events(id)).toContain("requeued");
  });

  test("a job that kills two nodes is quarantined", async () => {
    h.node.script = async (run) => {
      run.send(accepted);
      await sleep(5);
      run.send({ failed: { code: "runner_lost", message: "the runner died (SIGSEGV)", retryable: true } });
      run.end();
    };
    // Two failures send the node to rest, so that this test has a node of its own.
    const own = new ScriptedNode(h.node.script);
    const address = await own.start();
    const edge = await start({
      env: {
        CARTOON_DATA_DIR: join(h.dataDir, "poison"),
        PORT: "0",
        CARTOON_NODES: address,
        CARTOON_QUIET: "1",
        CARTOON_NODE_REST_SECONDS: "1",
      },
      serve: serveHere,
    });
    while ((await fetch(`${edge.url}/v1/characters`)).status !== 200) await sleep(20);
    const made = await fetch(`${edge.url}/v1/renders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "temo" }),
    });
    const { id } = (await made.json()) as { id: string };
    const done = await (await fetch(`${edge.url}/v1/renders/${id}?wait=60`)).json();
    expect(done).toMatchObject({ status: "failed", error: { code: "poison" }, attempt: 2 });
    await edge.stop(0);
    own.kill();
  });

  test("a busy node costs nothing", async () => {
    h.node.busy = true;
    const id = await submit();
    while (h.node.runs.length === 0) await sleep(5);
    h.node.busy = false;
    const done = await h.finished(id);
    expect(done.status).toBe("succeeded");
  });

  test("an upload that is not what was made fails the attempt, not the job", async () => {
    first(async (run) => {
      run.send(accepted);
      const artefact = await run.upload("clip.mp4", Buffer.from("half of"));
      run.send({ succeeded: { artefacts: [{ ...artefact, bytes: 99 }], receipt: null } });
      run.end();
    });
    const id = await submit();
    const done = await h.finished(id);
    expect([done.status, done.attempt]).toEqual(["succeeded", 2]);
  });

  test("what can't succeed is not tried again", async () => {
    first(async (run) => {
      run.send({ failed: { code: "invalid_spec", message: "no such scheduler", retryable: false } });
      run.end();
    });
    const done = await h.finished(await submit());
    expect(done).toMatchObject({ status: "failed", attempt: 1, error: { code: "invalid_spec" } });
  });

  test("a node that ignores the stop is cut off when the job times out", async () => {
    h.node.script = async (run) => {
      run.send(accepted);
      while (!run.gone) await sleep(10);
    };
    const id = await submit({ execution_timeout_seconds: 1 });
    const done = await h.finished(id);
    expect([done.status, done.error?.code]).toEqual(["timed_out", "execution_timeout"]);
  });

  test("sequences have no hole, however many events there are", async () => {
    h.node.script = playThrough({ steps: 60, stepMs: 0 });
    const ids = await Promise.all(Array.from({ length: 8 }, () => submit()));
    for (const id of ids) {
      expect((await h.finished(id)).status).toBe("succeeded");
      const text = await (await fetch(`${h.url}/v1/renders/${id}/events`)).text();
      const sequence = [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
      expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    }
  });
});

test("an edge that goes down hands its jobs on, with their checkpoints", async () => {
  const node = new ScriptedNode(async (run) => {
    run.send(accepted);
    await run.checkpoint(3, Buffer.from("state"));
    while (!run.gone) await sleep(10);
  });
  const address = await node.start();
  const dataDir = join(h.dataDir, "drain");
  const env = { CARTOON_DATA_DIR: dataDir, PORT: "0", CARTOON_NODES: address, CARTOON_QUIET: "1" };
  const edge = await start({ env, serve: serveHere });
  while ((await fetch(`${edge.url}/v1/characters`)).status !== 200) await sleep(20);
  const made = await fetch(`${edge.url}/v1/renders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "temo", seed: 3 }),
  });
  const { id } = (await made.json()) as { id: string };
  const read = async (base: string) =>
    (await (await fetch(`${base}/v1/renders/${id}/logs`)).json()) as { events: { type: string }[] };
  while (!(await read(edge.url)).events.some(({ type }) => type === "checkpoint")) await sleep(10);
  await edge.stop(0);
  node.script = playThrough();
  const next = await start({ env, serve: serveHere });
  const done = await (await fetch(`${next.url}/v1/renders/${id}?wait=30`)).json();
  expect(done).toMatchObject({ status: "succeeded", attempt: 2 });
  expect(node.runs.at(-1)?.request.checkpoint?.get_sha256).toHaveLength(64);
  await next.stop(0);
  node.kill();
});

test("jobs that only speak go to places beyond the permits, those that draw do not", async () => {
  const { promise: open, resolve: go } = Promise.withResolvers<void>();
  h.node.script = playThrough({ steps: 1, meanwhile: open });
  h.node.setSpeechPermits(3);
  const permits = 2;
  const drawn = await Promise.all(Array.from({ length: permits + 1 }, () => submit()));
  const spoken = await Promise.all(
    Array.from({ length: 4 }, () => submit({ prompt: undefined, dialogue: "Temo: Hello there." })),
  );
  while (h.node.runs.length < permits + 3) await sleep(10);
  await sleep(100);
  const running = h.node.runs.map(({ request }) => (request.spec?.clip ? "draws" : "speaks")).sort();
  expect(running).toEqual(["draws", "draws", "speaks", "speaks", "speaks"]);
  go();
  for (const id of [...drawn, ...spoken]) expect((await h.finished(id)).status).toBe("succeeded");
  h.node.setSpeechPermits(0);
});

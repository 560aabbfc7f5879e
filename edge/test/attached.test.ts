import { afterAll, describe, expect, test } from "bun:test";
import { status as GrpcStatus } from "@grpc/grpc-js";
import { createNodeToken } from "../src/nodes/token.ts";
import { sleep, startHarness } from "./harness.ts";
import { ScriptedAttached } from "./scripted-attached.ts";
import { playThrough } from "./scripted-node.ts";

const secret = "a secret for node tokens, 32 bytes and more";
const h = await startHarness({
  env: { CARTOON_URL_SECRET: secret, CARTOON_ATTACH_PORT: "0", CARTOON_NODE_REST_SECONDS: "3" },
});
// Only the nodes that dial in take work here.
h.node.setHealth("NODE_HEALTH_DRAINING");
afterAll(() => h.stop());

const soon = () => Math.floor(Date.now() / 1000) + 60;
const nodes: ScriptedAttached[] = [];
const behindNat = (options: { id?: string; token?: string } = {}) => {
  const token = options.token ?? createNodeToken(secret, "gpu-1", soon());
  const node = new ScriptedAttached({ port: h.edge.attachPort, ...options, token });
  nodes.push(node);
  return node;
};
const states = async () =>
  Object.fromEntries(
    (await h.call("GET", "/v1/nodes")).body.nodes.map((node: { address: string; health: string }) => [
      node.address,
      node.health,
    ]),
  );
const until = async (check: () => Promise<boolean> | boolean) => {
  for (let i = 0; i < 500 && !(await check()); i++) await sleep(10);
  expect(await check()).toBe(true);
};
const attached = (id = "behind-nat") =>
  until(async () => (await states())[`attached:gpu-1/${id}`] === "ready");
const submit = async () => (await h.call("POST", "/v1/renders", { clip: { prompt: "temo" } })).body.id;

describe("a node that has dialled in", () => {
  test("gets jobs; events, previews and results are those of any node", async () => {
    const node = behindNat();
    void node.dial();
    await attached();
    const id = await submit();
    const done = await h.finished(id);
    expect(done.status).toBe("succeeded");
    expect(done.results.map(({ name }) => name)).toContain("clip.mp4");
    expect(done.receipt).toMatchObject({ steps_done: 4, steps_total: 4 });
    const log = String((await h.call("GET", `/v1/renders/${id}/events`)).body);
    for (const type of ["accepted", "progress", "preview", "artefact", "succeeded"])
      expect(log).toContain(`event: ${type}\n`);
    expect(node.runs).toHaveLength(1);
    node.cut();
    await until(async () => (await states())["attached:gpu-1/behind-nat"] === "unspecified");
  });

  test("stops when a job is canceled, and its receipt counts", async () => {
    const node = behindNat();
    node.script = playThrough({ steps: 500, stepMs: 10 });
    void node.dial();
    await attached();
    const id = await submit();
    await until(() => node.runs.length === 1);
    const { status, body } = await h.call("POST", `/v1/renders/${id}/cancel?wait=10`);
    expect([status, body.status]).toEqual([200, "canceled"]);
    expect(body.receipt.steps_done).toBeGreaterThanOrEqual(0);
    expect(node.runs[0]?.stopAsked).toBe(true);
    node.cut();
  });

  test("and makes a clip of what there is when that is asked for", async () => {
    const node = behindNat();
    node.script = playThrough({ steps: 500, stepMs: 10 });
    void node.dial();
    await attached();
    const id = await submit();
    await until(() => node.runs.length === 1);
    const { body } = await h.call("POST", `/v1/renders/${id}/cancel?wait=10`, { partial: true });
    expect(body.status).toBe("canceled");
    expect(body.results.map(({ name }: { name: string }) => name).sort()).toEqual(["clip.mp4", "poster.png"]);
    node.cut();
  });

  test("a cut in the middle gives the job back; the node that comes back goes on from the checkpoint", async () => {
    const node = behindNat();
    node.script = async (run) => {
      if (run.request.attempt > 1) return playThrough()(run);
      run.send({ accepted: { node_id: "behind-nat", device: "cpu", resumed_step: 0 } });
      await run.checkpoint(3, Buffer.from("the state after three steps"));
      await sleep(50);
      node.cut();
      void node.dial();
    };
    void node.dial();
    await attached();
    const id = await submit();
    const done = await h.finished(id);
    expect([done.status, done.attempt]).toEqual(["succeeded", 2]);
    expect(node.runs[1]?.request.checkpoint?.get_url).not.toBe("");
    expect(node.runs[1]?.request.fence).toBeGreaterThan(node.runs[0]?.request.fence ?? 0);
    node.cut();
  });

  test("thousands of messages at once arrive whole and in order", async () => {
    const node = behindNat();
    const total = 3_000;
    node.script = async (run) => {
      run.send({ accepted: { node_id: "behind-nat", device: "cpu", resumed_step: 0 } });
      for (let i = 0; i < total; i++) run.send({ log: { level: "info", message: `line ${i}` } });
      run.send({ failed: { code: "enough", message: "enough said", retryable: false, receipt: null } });
      run.end();
    };
    void node.dial();
    await attached();
    const id = await submit();
    expect((await h.finished(id)).error?.code).toBe("enough");
    const log = String((await h.call("GET", `/v1/renders/${id}/events`)).body);
    const numbers = [...log.matchAll(/^id: (\d+)$/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    const lines = [...log.matchAll(/"message":"line (\d+)"/g)].map(([, number]) => Number(number));
    expect(lines).toEqual(Array.from({ length: total }, (_, i) => i));
    node.cut();
  });

  test("a full node says so, and the job waits for its turn", async () => {
    const node = behindNat();
    let refused = 0;
    node.script = async (run) => {
      if (refused++ > 0) return playThrough()(run);
      run.fail(GrpcStatus.RESOURCE_EXHAUSTED, "no permit is free");
    };
    void node.dial();
    await attached();
    expect((await h.finished(await submit())).status).toBe("succeeded");
    expect(refused).toBe(2);
    node.cut();
  });
});

describe("who may dial in", () => {
  test("nobody without a token of this edge that is still good", async () => {
    const foreign = createNodeToken("another secret of 32 bytes, more or less", "gpu-1", soon());
    const old = createNodeToken(secret, "gpu-1", Math.floor(Date.now() / 1000) - 1);
    for (const token of ["", "nt_x.y", foreign, old]) {
      const node = behindNat({ token });
      expect((await node.dial())?.code).toBe(GrpcStatus.UNAUTHENTICATED);
      node.cut();
    }
  });

  test("the first message is hello, and names the node", async () => {
    const node = behindNat({ id: "" });
    expect((await node.dial())?.code).toBe(GrpcStatus.INVALID_ARGUMENT);
    node.cut();
  });

  test("a second stream of the same node ends the first; another node with the same token is another node", async () => {
    const first = behindNat({ id: "twin" });
    const ended = first.dial();
    await attached("twin");
    const second = behindNat({ id: "twin" });
    void second.dial();
    expect((await ended)?.code).toBe(GrpcStatus.ABORTED);
    const other = behindNat({ id: "other" });
    void other.dial();
    await attached("other");
    await attached("twin");
    first.cut();
    second.cut();
    other.cut();
  });

  test("messages about calls that nobody made are ignored", async () => {
    const node = behindNat({ id: "confused" });
    void node.dial();
    await attached("confused");
    node.say({ call: 99, run: { sequence: 1, progress: { stage: "denoise", fraction: 1 } } });
    node.say({ call: 99, end: { code: 0, details: "" } });
    node.say({ call: 7, stop: { found: true } });
    expect((await h.finished(await submit())).status).toBe("succeeded");
    node.cut();
  });
});

test("a node that breaks off twice in a row rests, although every stream is a new one", async () => {
  const node = behindNat({ id: "flaky" });
  node.script = async (run) => {
    run.send({ accepted: { node_id: "flaky", device: "cpu", resumed_step: 0 } });
    await sleep(20);
    node.cut();
    void node.dial();
  };
  void node.dial();
  await attached("flaky");
  const done = await h.finished(await submit());
  expect(done.error?.code).toBe("poison");
  await attached("flaky");
  const list = (await h.call("GET", "/v1/nodes")).body.nodes;
  expect(list.find(({ node_id }: { node_id: string }) => node_id === "flaky").resting).toBe(true);
  node.cut();
});

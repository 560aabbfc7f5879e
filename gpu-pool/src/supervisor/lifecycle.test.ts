import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WatchResponse__Output } from "@cartoon/protos/gen/WatchResponse";
import { status as Code, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import * as healthCheck from "grpc-health-check";
import { parseNodeEnv } from "../env.ts";
import { limitRunners } from "./testing/limited-runners.ts";
import { clip, last, run, runRequest, startTestNode, type TestNode, waitFor } from "./testing/test-node.ts";
import { openWorkDir } from "./work-dir.ts";

setDefaultTimeout(60_000);

let node: TestNode | undefined;
afterEach(async () => {
  await node?.close();
  node = undefined;
});

async function start(env: Record<string, string> = {}): Promise<TestNode> {
  node = await startTestNode(env);
  return node;
}

const longClip = { ...clip, num_frames: 32, num_inference_steps: 50 };

/** Health after health as Watch tells it, each once. */
function watch({ client }: TestNode): { seen: string[]; stop: () => void } {
  const seen: string[] = [];
  const call = client.watch({});
  call.on("error", () => {});
  call.on("data", ({ status }: WatchResponse__Output) => {
    const health = status?.health.replace("NODE_HEALTH_", "") ?? "";
    if (seen.at(-1) !== health) seen.push(health);
  });
  return { seen, stop: () => call.cancel() };
}

test("Watch tells every state of a node's life, and the health service follows", async () => {
  const one = await start();
  const { seen, stop } = watch(one);
  const serving = (service: string) => serviceHealth(one.server.port, service);
  await one.ready();
  expect(await serving("")).toBe("SERVING");
  await run(one.client, runRequest(one.store, { clip }, { job_id: "a" }));
  const closing = one.node.close(0);
  await waitFor(one.node, "NODE_HEALTH_DRAINING");
  expect(await serving("cartoon.v1.NodeService")).toBe("NOT_SERVING");
  const refused = await run(one.client, runRequest(one.store, { clip }, { job_id: "b" }));
  expect(refused.error?.code).toBe(Code.UNAVAILABLE);
  expect(refused.error?.details).toContain("DRAINING");
  await closing;
  stop();
  expect(seen).toEqual(["STARTING", "READY", "BUSY", "READY", "DRAINING"]);
});

async function serviceHealth(port: number, service: string): Promise<string> {
  const Health = makeGenericClientConstructor(healthCheck.service, "grpc.health.v1.Health", {});
  const client = new Health(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    return await new Promise((resolve, reject) => {
      const check: unknown = client.check;
      if (typeof check !== "function") throw new Error("the health client has no check");
      check.call(client, { service }, (error: Error | null, answer: { status: string }) =>
        error ? reject(error) : resolve(answer.status),
      );
    });
  } finally {
    client.close();
  }
}

test("draining lets a short job end, and hands a long one back with its receipt", async () => {
  const one = await start();
  await one.ready();
  let closing: Promise<void> | undefined;
  const drained = await run(
    one.client,
    runRequest(one.store, { clip: longClip }, { job_id: "long" }),
    ({ progress }) => {
      if (progress) closing ??= one.node.close(0);
    },
  );
  expect(last(drained)?.failed).toMatchObject({ code: "node_draining", retryable: true });
  expect(last(drained)?.failed?.receipt?.steps_done).toBeGreaterThan(0);
  await closing;

  const two = await start();
  await two.ready();
  const finished = await run(
    two.client,
    runRequest(two.store, { clip }, { job_id: "short" }),
    ({ accepted }) => {
      if (accepted) closing = two.node.close(30);
    },
  );
  expect(last(finished)?.event).toBe("succeeded");
  await closing;
  await one.close();
});

test("a pack that cannot be loaded is SETUP_FAILED with the reason, and takes nothing", async () => {
  const one = await startTestNode({}, async (pack) => {
    await writeFile(join(pack, "vae/diffusion_pytorch_model.safetensors"), "not safetensors at all");
  });
  node = one;
  await waitFor(one.node, "NODE_HEALTH_SETUP_FAILED");
  expect(one.node.pool.status().detail).toContain("vae");
  const refused = await run(one.client, runRequest(one.store, { clip }, { job_id: "a" }));
  expect(refused.error?.code).toBe(Code.UNAVAILABLE);
});

// Only Linux can refuse memory to a running process.
if (process.platform === "linux")
  test("models that do not fit when the node starts: it says so, waits, and is ready when there is room", async () => {
    const unlimited = await limitRunners({ CARTOON_TEST_LOADING_BYTES: "0" });
    try {
      node = await startTestNode();
      const status = () => node?.node.pool.status();
      while (!status()?.detail) await Bun.sleep(20);
      expect(status()?.detail).toContain("too little free memory for the models, waiting: ");
      expect(status()).toMatchObject({ health: "NODE_HEALTH_STARTING", permits_free: 0 });
    } finally {
      unlimited();
    }
    await node.ready();
    expect(node.node.pool.status()).toMatchObject({ detail: "", permits_free: 1 });
  });

test("a runner that dies five times in a row makes the node DEFUNCT", async () => {
  const one = await start();
  await one.ready();
  const [slot] = one.node.pool.slots;
  const unsubscribe = one.node.pool.subscribe(() => {
    if (slot?.pid && slot.state === "idle") process.kill(slot.pid, "SIGKILL");
  });
  process.kill(slot?.pid ?? 0, "SIGKILL");
  await waitFor(one.node, "NODE_HEALTH_DEFUNCT");
  unsubscribe();
  expect(one.node.pool.status()).toMatchObject({ permits_total: 0, permits_free: 0 });
  expect(one.node.pool.status().detail).toContain("5 times in a row");
});

test("two devices are two runners, and each takes a job", async () => {
  const one = await start({ CARTOON_DEVICES: "cpu,cpu" });
  while (one.node.pool.status().permits_free < 2) await Bun.sleep(20);
  const jobs = ["a", "b"].map((job_id) =>
    run(one.client, runRequest(one.store, { clip: longClip }, { job_id })),
  );
  await Bun.sleep(0);
  const outcomes = await Promise.all(jobs);
  expect(outcomes.map((outcome) => last(outcome)?.event)).toEqual(["succeeded", "succeeded"]);
  expect(one.store.objects.get("a/clip.gif")).toEqual(one.store.objects.get("b/clip.gif") as Uint8Array);
});

test("what a killed node has left behind is cleared away, a living one's is not", async () => {
  const root = await mkdtemp(join(tmpdir(), "cartoon-work-"));
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  for (const name of [String(gone.pid), String(process.ppid), "keep-me"]) await mkdir(join(root, name));
  const own = await openWorkDir(root);
  expect((await readdir(root)).sort()).toEqual([String(process.pid), String(process.ppid), "keep-me"].sort());
  expect(own).toBe(join(root, String(process.pid)));
  await rm(root, { recursive: true });
});

test("an environment that makes no sense lists everything that is wrong with it", () => {
  expect(() =>
    parseNodeEnv({ CARTOON_DEVICES: "tpu", CARTOON_NODE_LISTEN: "nowhere", CARTOON_THREADS: "-1" }),
  ).toThrow(/CARTOON_NODE_LISTEN.*CARTOON_DEVICES.*CARTOON_THREADS/s);
  expect(() => parseNodeEnv({ CARTOON_NODE_LISTEN: "0.0.0.0:50051" })).toThrow("not a loopback address");
  expect(() => parseNodeEnv({ CARTOON_TLS_CERT: "a.crt" })).toThrow("goes together with CARTOON_TLS_KEY");
  expect(parseNodeEnv({ CARTOON_NODE_LISTEN: "" }).CARTOON_NODE_LISTEN).toBe("127.0.0.1:50051");
});

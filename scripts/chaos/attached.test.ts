import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { eventsAfter, getJob } from "@cartoon/db";
import { z } from "zod";
import { submit } from "./clients.ts";
import { runChaos } from "./run.ts";
import { formatReport } from "./table.ts";
import { settled } from "./verify.ts";
import type { Victim } from "./victim.ts";
import { World } from "./world.ts";

setDefaultTimeout(120_000);

const options = {
  edges: 2,
  nodes: 2,
  database: "sqlite",
  leaseSeconds: 2,
  attached: true,
  keep: false,
} as const;
let world: World;
beforeAll(async () => {
  world = await World.start(options);
});
afterAll(() => world.stop());

const Listed = z.object({ nodes: z.array(z.object({ node_id: z.string(), health: z.string() })) });
const Made = z.object({
  id: z.string(),
  status: z.string(),
  receipt: z.object({ steps_done: z.number() }).nullable(),
  results: z.array(z.object({ name: z.string(), url: z.string() })),
});
const SETTLE_MS = 60_000;
const reader = { tenant: "local" };
const events = (id: string) => eventsAfter(world.database, id, 0, 10_000);
const hashes = async (id: string) =>
  Object.fromEntries(
    (await getJob(world.database, reader, id)).results.map(({ name, sha256 }) => [name, sha256]),
  );

/** Sockets of this process that take connections, as the kernel lists them. */
function listening(pid: number): number {
  const sockets = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
  const LISTEN = "0A";
  const listeners = ["tcp", "tcp6"].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN)
      .map((fields) => fields[9]),
  );
  return sockets.filter((inode) => listeners.includes(inode)).length;
}

async function everyEdgeHasEveryNode(): Promise<void> {
  const until = Date.now() + SETTLE_MS;
  // The balancer goes from one edge to the next.
  for (let inARow = 0; inARow < 2 * world.edges.length; ) {
    const { nodes } = Listed.parse(await (await fetch(`${world.url}/v1/nodes`)).json());
    const ready = nodes.filter(({ health }) => health === "ready").map(({ node_id }) => node_id);
    inARow = world.nodes.every(({ name }) => ready.includes(name)) ? inARow + 1 : 0;
    if (Date.now() > until) throw new Error(`an edge has only ${ready.join(", ") || "no node"}`);
    await Bun.sleep(20);
  }
}

async function killed(victim: Victim): Promise<void> {
  victim.kill();
  while (victim.isRunning) await Bun.sleep(5);
}

/** Waits for an event of a job, and names the node that it runs on. */
async function runsOn(id: string, type: string): Promise<Victim> {
  for (;;) {
    const job = await getJob(world.database, reader, id);
    const found = (await events(id)).some((event) => event.type === type);
    const node = world.nodes.find(({ name }) => name === job.nodeId);
    if (found && node) return node;
    if (job.completedAt !== null) throw new Error(`the job ended before its ${type}`);
    await Bun.sleep(5);
  }
}

test("nodes open no port, and every edge has every node all the same", async () => {
  for (const node of world.nodes) expect(listening(node.pid ?? 0)).toBe(0);
  for (const edge of world.edges) expect(listening(edge.pid ?? 0)).toBeGreaterThan(0);
  await everyEdgeHasEveryNode();
});

test("kill -9 of a node in the middle: it dials in again, and the job goes on to the same bits", async () => {
  const undisturbed = await submit(world.url, crypto.randomUUID(), 1);
  await settled(world, SETTLE_MS);
  const { id } = await submit(world.url, crypto.randomUUID(), 1);
  const node = await runsOn(id, "checkpoint");
  await killed(node);
  node.start();
  await settled(world, SETTLE_MS);
  const job = await getJob(world.database, reader, id);
  expect([job.status, job.attempt]).toEqual(["succeeded", 2]);
  const resumed = (await events(id)).filter(({ data }) => Number(data.resumed_step ?? 0) > 0);
  expect(resumed).toHaveLength(1);
  const [before, after] = [await hashes(undisturbed.id), await hashes(id)];
  expect(after["poster.png"]).toBe(before["poster.png"]);
  expect(after["clip.gif"]).toBe(before["clip.gif"]);
  await everyEdgeHasEveryNode();
});

test("a cut of every stream in the middle: the nodes come back by themselves", async () => {
  const { id } = await submit(world.url, crypto.randomUUID(), 2);
  await runsOn(id, "checkpoint");
  for (const link of world.links) link.cut();
  await settled(world, SETTLE_MS);
  expect((await getJob(world.database, reader, id)).status).toBe("succeeded");
});

test("kill -9 of every edge: the nodes find them again, and the job goes on", async () => {
  const { id } = await submit(world.url, crypto.randomUUID(), 3);
  await runsOn(id, "checkpoint");
  for (const edge of world.edges) await killed(edge);
  for (const edge of world.edges) edge.start();
  await settled(world, SETTLE_MS);
  expect((await getJob(world.database, reader, id)).status).toBe("succeeded");
});

test("SIGTERM drains a node: its job goes back, with its checkpoint, and costs no node", async () => {
  const { id } = await submit(world.url, crypto.randomUUID(), 0);
  const node = await runsOn(id, "checkpoint");
  await node.stop();
  node.start();
  await settled(world, SETTLE_MS);
  expect((await getJob(world.database, reader, id)).status).toBe("succeeded");
});

test("a cancel that asks for what there is gets a real MP4 and a poster, signed, over the stream", async () => {
  const clip = { prompt: "temo", width: 64, height: 64, num_frames: 16, num_inference_steps: 50, seed: 1 };
  const json = { "content-type": "application/json" };
  const post = async (path: string, body: object) =>
    (await fetch(world.url + path, { method: "POST", headers: json, body: JSON.stringify(body) })).json();
  const { id } = Made.parse(await post("/v1/renders", { clip, output: { formats: ["gif"] } }));
  await runsOn(id, "preview");
  const ended = Made.parse(await post(`/v1/renders/${id}/cancel?wait=60`, { partial: true }));
  expect(ended.status).toBe("canceled");
  expect(ended.receipt?.steps_done).toBeGreaterThan(0);
  expect(ended.receipt?.steps_done).toBeLessThan(50);
  const files = new Map<string, Uint8Array>();
  for (const { name, url } of ended.results) files.set(name, await (await fetch(url)).bytes());
  expect([...files.keys()].sort()).toEqual(["clip.mp4", "poster.png"]);
  expect(new TextDecoder().decode(files.get("clip.mp4")?.subarray(4, 8))).toBe("ftyp");
  expect(new TextDecoder("latin1").decode(files.get("poster.png")?.subarray(1, 4))).toBe("PNG");
});

test("what real nodes measure of themselves is in the metrics, and no GPU that is not there", async () => {
  const metrics = await (await fetch(`${world.url}/metrics`)).text();
  expect(metrics).toMatch(/^cartoon_lora_swaps_total\{node="node-[12]"\} [1-9]\d*$/m);
  if (!Bun.which("nvidia-smi")) expect(metrics).not.toContain("cartoon_gpu_memory_bytes{");
});

test("nothing is lost while nodes that dialled in are killed and cut off", async () => {
  const report = await runChaos({
    ...options,
    jobs: 14,
    seconds: 4,
    settleSeconds: 90,
    seed: 5,
    log: () => {},
  });
  console.log(formatReport(report));
  expect(report.verdict.problems).toEqual([]);
  expect(report.accepted).toBe(14);
});

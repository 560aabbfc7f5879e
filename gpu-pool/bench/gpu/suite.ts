// What only a GPU can show, with the built-in pack and the tiny one: `bun run test:gpu`. GPU_SUITE_DEVICE=cpu tries the
// suite itself on a machine without one.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GraphBuilder, op } from "../../src/graphs/builder/index.ts";
import { createSession, EXACT_ARENA, int64, type Session } from "../../src/onnx/session.ts";
import { loadPack } from "../../src/packs/index.ts";
import {
  type AnimateDiffPipeline,
  ClipOutOfMemory,
  type ClipResult,
  isOutOfMemory,
  type LoadOptions,
  loadAnimateDiff,
} from "../../src/pipelines/animatediff/index.ts";
import { freeDeviceMemory } from "../../src/runner/free-memory.ts";
import {
  last,
  clip as nodeClip,
  run,
  runRequest,
  speech,
  startTestNode,
} from "../../src/supervisor/testing/test-node.ts";

setDefaultTimeout(300_000);

const device = process.env.GPU_SUITE_DEVICE === "cpu" ? "cpu" : "cuda";
const TOON = fileURLToPath(new URL("../../packs/toon", import.meta.url));
const clip = { prompt: "temo and felfel on the moon", seed: 5, num_frames: 8, num_inference_steps: 6 };
/** Of what drawing took: an arena that doubles has up to twice what it needs. */
const SHARE_TO_SPARE = 0.1;
/** What one tensor of the provider may have. */
const LARGEST_PIECE = 8_000_000_000;
const LAST_PIECE = 2_000_000_000;
const CLOSE_ENOUGH = 50_000_000;

async function freeMemory(): Promise<number> {
  const free = await freeDeviceMemory({ kind: "cuda", index: 0 });
  if (free === undefined) throw new Error("the driver does not tell how much memory is free");
  return free;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-gpu-suite-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withPipeline<T>(
  options: Partial<LoadOptions>,
  work: (pipeline: AnimateDiffPipeline) => Promise<T>,
): Promise<T> {
  const base = { cacheDir: join(folder, "cache"), device } as const;
  const pipeline = await loadAnimateDiff(await loadPack(TOON), { ...base, ...options });
  try {
    return await work(pipeline);
  } finally {
    await pipeline.close();
  }
}

/** Of 8-bit frames, in dB. */
function psnr(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (const [i, value] of a.entries()) sum += (value - (b[i] ?? 0)) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / a.length));
}

const same = (a: ClipResult, b: ClipResult) => Buffer.from(a.frames).equals(Buffer.from(b.frames));

describe("the built-in pack", () => {
  test("looks as it does on the CPU; so it does in the small mode, bit-stable, and with LoRA inputs for convolutions", async () => {
    const reference = await withPipeline({ device: "cpu" }, (pipeline) => pipeline.generate(clip));
    for (const options of [{}, { smallMemory: true }, { deterministic: true }, { convolutions: true }]) {
      const drawn = await withPipeline(options, (pipeline) => pipeline.generate(clip));
      const likeness = psnr(reference.frames, drawn.frames);
      console.log(`${JSON.stringify(options)}: ${likeness.toFixed(1)} dB from the CPU's frames`);
      expect(likeness).toBeGreaterThan(25);
      expect(drawn.warnings.map(({ field }) => field)).toEqual(reference.warnings.map(({ field }) => field));
    }
  });

  test("deterministic: the same bytes again, from a checkpoint, and in another process's place", async () => {
    const states = new Map<number, Uint8Array>();
    const save = (state: Uint8Array, step: number) => void states.set(step, state);
    const draw = (resume?: Uint8Array) =>
      withPipeline({ deterministic: true }, (pipeline) =>
        pipeline.generate(clip, { checkpoint: { everySteps: 2, save, resume } }),
      );
    const first = await draw();
    expect(same(first, await draw())).toBe(true);
    expect(same(first, await draw(states.get(4)))).toBe(true);
  });

  test("one clip after the other, with other LoRA weights: each is what it is by itself", async () => {
    const weighted = (temo: number, felfel: number) => ({
      ...clip,
      num_inference_steps: 2,
      characters: [
        { name: "temo", weight: temo },
        { name: "felfel", weight: felfel },
      ],
    });
    const alone = await withPipeline({ deterministic: true }, (pipeline) =>
      pipeline.generate(weighted(0.2, 0.9)),
    );
    const [first, other, again] = await withPipeline({ deterministic: true }, async (pipeline) => [
      await pipeline.generate(weighted(0.9, 0.2)),
      await pipeline.generate(weighted(0.2, 0.9)),
      await pipeline.generate(weighted(0.9, 0.2)),
    ]);
    if (!first || !other || !again) throw new Error("three clips were asked for");
    expect(same(first, again)).toBe(true);
    expect(same(other, alone)).toBe(true);
    expect(same(first, other)).toBe(false);
  });

  test("a first image is encoded as on the CPU", async () => {
    const image = { data: new Uint8Array(256 * 256 * 3), count: 1, width: 256, height: 256 };
    for (let i = 0; i < image.data.length; i++) image.data[i] = (i * 7 + (i >> 9)) & 255;
    const options = { firstImage: { image, strength: 0.2 } };
    const draw = (where: Partial<LoadOptions>) =>
      withPipeline(where, (pipeline) => pipeline.generate(clip, options));
    const likeness = psnr((await draw({ device: "cpu" })).frames, (await draw({})).frames);
    console.log(`first image: ${likeness.toFixed(1)} dB from the CPU's frames`);
    expect(likeness).toBeGreaterThan(25);
  });

  test("fast differs little", async () => {
    const [full, fast] = await withPipeline({}, async (pipeline) => [
      await pipeline.generate({ ...clip, num_inference_steps: 20 }),
      await pipeline.generate({ ...clip, num_inference_steps: 20, quality: "fast" }),
    ]);
    if (!full || !fast) throw new Error("two clips were asked for");
    expect(same(full, fast)).toBe(false);
    expect(psnr(full.frames, fast.frames)).toBeGreaterThan(20);
  });
});

if (device === "cuda")
  test("a full card: models that don't fit and a clip that doesn't say so, and the next clip is drawn", async () => {
    const large = {
      ...clip,
      num_frames: 32,
      context: { window: 32, overlap: 4, schedule: "static" },
    } as const;
    const { loaded, drawn } = await memoryOf(large);
    for (const rest of [loaded / 2, loaded + SHARE_TO_SPARE * (drawn - loaded)]) {
      const hog = await takeMemory(rest);
      const outcome = await withPipeline({}, (pipeline) => pipeline.generate(large))
        .catch((error: unknown) => error)
        .finally(() => hog.release());
      const warnings = (outcome as Partial<ClipResult & ClipOutOfMemory>).warnings ?? [];
      const steps = warnings.filter(({ rule }) => rule.includes("ran out of memory"));
      const told = steps.map(({ field, given, used }) => `${field}: ${given} → ${used}`);
      const end = outcome instanceof Error ? outcome.message.slice(-300) : "drawn";
      console.log(`${Math.round(rest / 1e6)} MB: ${[...told, end].join("; ")}`);
      if (outcome instanceof Error && !(outcome instanceof ClipOutOfMemory))
        expect(isOutOfMemory(outcome)).toBe(true);
      else expect(steps.length).toBeGreaterThan(0);
      const after = await withPipeline({}, (pipeline) => pipeline.generate(clip));
      expect(after.warnings.filter(({ rule }) => rule.includes("memory"))).toEqual([]);
    }
  });

/** Bytes that the loaded pack holds, before and after it has drawn a clip. */
async function memoryOf(clip: Parameters<AnimateDiffPipeline["generate"]>[0]) {
  const before = await freeMemory();
  return await withPipeline({}, async (pipeline) => {
    const loaded = before - (await freeMemory());
    await pipeline.generate(clip);
    return { loaded, drawn: before - (await freeMemory()) };
  });
}

/** Fills the GPU but for a rest, a piece at a time: ONNX Runtime keeps what a session has had. */
async function takeMemory(rest: number): Promise<{ release(): Promise<void> }> {
  const g = new GraphBuilder();
  const shape = g.input("shape", "int64", [2]);
  const one = op.floats(g, Float32Array.of(1), [1, 1]);
  const large = g.node("Expand", [one, shape], { shape: ["A", "B"] });
  g.output("one", op.slice(g, op.slice(g, large, 0, 0, 1, 1), 1, 0, 1, 1));
  const model = g.build("hog");
  const sessions: Session[] = [];
  const release = async () => void (await Promise.all(sessions.splice(0).map((each) => each.release())));
  const open = async () => {
    const options = { provider: "cuda", cudaOptions: EXACT_ARENA } as const;
    sessions.push(await createSession(model, join(folder, "cache"), options));
    // What a session takes for itself is gone by now.
    return (await freeMemory()) - rest;
  };
  try {
    for (let left = await open(); left > CLOSE_ENOUGH; left = await open()) {
      // No small piece at the end: the session for it may take more than is left.
      const last = left < LAST_PIECE;
      const bytes = last ? left : Math.min(LARGEST_PIECE, left / 2);
      await sessions.at(-1)?.run({ shape: int64([Math.floor(bytes / 4096), 1024], [2]) });
      if (last) break;
    }
  } catch (error) {
    // The card is as full as it gets.
    if (isOutOfMemory(error)) return { release };
    await release();
    throw error;
  }
  return { release };
}

describe("a node", () => {
  test("draws and speaks, deterministic at the request's wish, and says so", async () => {
    const node = await startTestNode({ CARTOON_DEVICES: device === "cpu" ? "cpu" : "cuda:0" });
    try {
      await node.ready();
      const bytes: (Uint8Array | undefined)[] = [];
      for (const job_id of ["first", "second"]) {
        const spec = { clip: nodeClip, speech, deterministic: true };
        const outcome = await run(node.client, runRequest(node.store, spec, { job_id }));
        expect(last(outcome)?.failed?.message ?? "").toBe("");
        bytes.push(node.store.objects.get(`${job_id}/clip.mp4`));
      }
      expect(bytes[0]).toEqual(bytes[1] as Uint8Array);
      const manifest = JSON.parse(new TextDecoder().decode(node.store.objects.get("first/manifest.json")));
      expect(manifest).toMatchObject({ device, used: { mode: { deterministic: true } } });
    } finally {
      await node.close();
    }
  });

  test("with two devices: the clip of both is the clip of one", async () => {
    const gpus = device === "cuda" ? await countGpus() : 2;
    if (gpus < 2) {
      console.log("one GPU: nothing to share");
      return;
    }
    const devices = device === "cpu" ? "cpu,cpu" : "cuda:0,cuda:1";
    const node = await startTestNode({
      CARTOON_DEVICES: devices,
      CARTOON_SHARE_JOBS: "on",
      CARTOON_DETERMINISTIC: "1",
    });
    try {
      while (node.node.pool.status().permits_free < 2) await Bun.sleep(50);
      const draw = async (job_id: string) => {
        const outcome = await run(node.client, runRequest(node.store, { clip: nodeClip }, { job_id }));
        expect(last(outcome)?.event).toBe("succeeded");
        return { events: outcome.events, bytes: node.store.objects.get(`${job_id}/clip.mp4`) };
      };
      // Each device alone first: one that has not drawn yet would be late for a clip as short as this.
      const alone: Awaited<ReturnType<typeof draw>>[] = [];
      for (const busy of [1, 0]) {
        const other = node.node.pool.slots[busy];
        expect(other?.take()).toBe(true);
        alone.push(await draw(`alone-${busy}`));
        other?.release();
      }
      const [one, same] = alone;
      if (!one || !same) throw new Error("each device draws a clip");
      expect(same.bytes).toEqual(one.bytes as Uint8Array);
      const two = await draw("two");
      expect(two.bytes).toEqual(one.bytes as Uint8Array);
      expect(two.events.some(({ log }) => log?.message.includes("on another device"))).toBe(true);
    } finally {
      await node.close();
    }
  });
});

async function countGpus(): Promise<number> {
  const child = Bun.spawn(["nvidia-smi", "--list-gpus"], { stdio: ["ignore", "pipe", "ignore"] });
  return (await new Response(child.stdout).text()).split("\n").filter((line) => line.startsWith("GPU"))
    .length;
}

import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadPack } from "../../src/packs/index.ts";
import type { Device, RunnerJob, RunnerSetup } from "../../src/runner/messages.ts";
import { Pool } from "../../src/supervisor/pool.ts";
import { say } from "./measure.ts";
import { makeRandomPack } from "./random-pack.ts";

/**
 * One clip on one device and on two, through the node's own pool and runners: seconds, their ratio, and whether the
 * frames are the same. FOLDER is what `torch_sdxl.py FOLDER make` wrote, or any pack.
 *
 *     bun bench/gpu/two-gpus.ts FOLDER [--frames 32] [--window 16] [--steps 10] [--size 1024] [--rounds 3]
 *       [--plain] [--devices cuda:0,cuda:1]
 *
 * Bit-stable graphs, so that the frames can be compared; `--plain` takes the faster ones, whose group norms are not.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    frames: { type: "string", default: "32" },
    window: { type: "string", default: "16" },
    steps: { type: "string", default: "10" },
    size: { type: "string", default: "1024" },
    rounds: { type: "string", default: "3" },
    plain: { type: "boolean", default: false },
    devices: { type: "string", default: "cuda:0,cuda:1" },
  },
});
const [folder = "."] = positionals;
const side = Number(values.size);
await makeRandomPack(folder, { width: side, height: side });
const { manifest } = await loadPack(folder);
const work = await mkdtemp(join(folder, ".two-gpus-"));

const devices = values.devices.split(",").map((name): Device => {
  const [kind, index] = name.split(":");
  return kind === "cuda" ? { kind, index: Number(index) } : { kind: "cpu" };
});
const setups = devices.map((device): RunnerSetup[] => [
  {
    ...{ parts: ["picture", "voice"], packs: [folder], device, threads: 0, cacheDir: join(work, "cache") },
    ...{ deterministic: !values.plain, memory: "full" },
  },
]);
const pool = new Pool("bench", setups);
while (pool.status().permits_free < devices.length) {
  const { health, detail } = pool.status();
  if (health === "NODE_HEALTH_SETUP_FAILED" || health === "NODE_HEALTH_DEFUNCT") throw new Error(detail);
  await Bun.sleep(50);
}

const clip: NonNullable<RunnerJob["clip"]> = {
  ...{ prompt: "a walk on the moon", negative_prompt: "", characters: [], seed: 7, fps: 8 },
  ...{
    width: side,
    height: side,
    num_frames: Number(values.frames),
    num_inference_steps: Number(values.steps),
  },
  ...{ guidance_scale: 5, guidance_rescale: 0, scheduler: "", prompt_travel: [], clip_skip: 0, loop: false },
  context: { window: Number(values.window), overlap: 4, schedule: "static" },
  ...{ blend: "equal", speaker_focus: 0, quality: "full" },
};

interface Drawn {
  denoise: number;
  /** Median of the steps, without the first, which is also the wait for a partner. */
  step: number;
  total: number;
  sha256: string;
  passesElsewhere: number;
}

let runs = 0;
/** @param shared guidance in two passes, as a node with several devices always does */
async function draw(shared: boolean, alone: boolean, steps = clip.num_inference_steps): Promise<Drawn> {
  const [slot, ...others] = pool.slots;
  if (!slot?.take()) throw new Error("the first device is not idle");
  const taken = alone ? others.filter((other) => other.take()) : [];
  const job: RunnerJob = {
    ...{ run: `bench/${++runs}`, folder: work, pack: manifest.name, cast: [], extend: false, references: [] },
    ...{ deterministic: !values.plain, shared, checkpointEvery: 0 },
    clip: { ...clip, num_inference_steps: steps },
  };
  let passesElsewhere = 0;
  const stepsAt: number[] = [];
  const outcome = await slot.run(
    job,
    (event) => {
      if (event.type === "log") passesElsewhere = Number.parseInt(event.message, 10) || 0;
      if (event.type === "progress" && event.stage === "denoise") stepsAt.push(performance.now() / 1000);
      if (event.type === "warning") console.error(JSON.stringify(event.warning));
    },
    new AbortController().signal,
  );
  slot.release();
  for (const other of taken) other.release();
  if (outcome.type !== "done") throw new Error(JSON.stringify(outcome));
  const frames = await readFile(outcome.result.frames?.file ?? "");
  const lengths = stepsAt.slice(1).map((at, i) => at - (stepsAt[i] ?? at));
  return {
    step: lengths.sort((a, b) => a - b)[lengths.length >> 1] ?? 0,
    denoise: outcome.spent.stages.find(({ stage }) => stage === "denoise")?.seconds ?? 0,
    total: outcome.spent.deviceSeconds,
    sha256: createHash("sha256").update(frames).digest("hex"),
    passesElsewhere,
  };
}

const WAYS = { one: [false, true], halves: [true, true], two: [true, false] } as const;
type Way = keyof typeof WAYS;
const drawn: Record<Way, Drawn[]> = { one: [], halves: [], two: [] };
try {
  for (const [shared, alone] of Object.values(WAYS)) await draw(shared, alone, 2);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, [shared, alone]] of Object.entries(WAYS))
      drawn[name as Way].push(await draw(shared, alone));
  const least = (way: Way, key: "denoise" | "step" | "total") =>
    Math.min(...drawn[way].map((each) => each[key]));
  for (const way of Object.keys(WAYS) as Way[])
    say({
      ...{ figure: "two-gpus", way, frames: clip.num_frames, steps: clip.num_inference_steps, size: side },
      ...{ denoise: least(way, "denoise"), step: least(way, "step"), total: least(way, "total") },
      passesElsewhere: drawn[way][0]?.passesElsewhere,
    });
  say({
    figure: "two-gpus ratio",
    denoiseOverOne: least("one", "denoise") / least("two", "denoise"),
    stepOverOne: least("one", "step") / least("two", "step"),
    denoiseOverHalves: least("halves", "denoise") / least("two", "denoise"),
    totalOverOne: least("one", "total") / least("two", "total"),
    identicalToHalvesOnOne: new Set([...drawn.halves, ...drawn.two].map(({ sha256 }) => sha256)).size === 1,
  });
} finally {
  await pool.close();
  await rm(work, { recursive: true, force: true });
}

/**
 * How soon a runner that speaks stops when it is told to: `bun gpu-pool/bench/voice-cancel.ts [cancels] [pack folder] [cpu|cuda]`.
 * A dialogue of twenty lines is canceled at moments spread over its whole length; each time is measured from the
 * message to the runner until its answer.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PackManifest } from "@cartoon/protos/pack-manifest";
import { RunnerProcess } from "../src/supervisor/runner-process.ts";

const cancels = Number(process.argv[2] ?? 20);
const pack = resolve(process.argv[3] ?? join(import.meta.dirname, "../packs/toon"));
const device =
  process.argv[4] === "cuda" ? ({ kind: "cuda", index: 0 } as const) : ({ kind: "cpu" } as const);
const { name, voice } = PackManifest.parse(JSON.parse(await readFile(join(pack, "pack.json"), "utf8")));
if (!voice) throw new Error("the pack has no voice");

const folder = await mkdtemp(join(tmpdir(), "cartoon-cancel-"));
const runner = new RunnerProcess({
  setup: { parts: ["voice"], packs: [pack], device, threads: 0, cacheDir: join(folder, "cache") },
  onWarm: () => {},
  onExit: () => {},
});
await runner.ready;

const turn = [
  { speaker: "S1", text: "Look at this incredible landscape! The mountains are glowing in the evening sun." },
  { speaker: "S2", text: "Amazing discovery! Let us take a picture and send it home." },
];
const job = {
  ...{
    folder,
    pack: name,
    cast: [],
    extend: false,
    references: [],
    checkpointEvery: 0,
    deterministic: false,
    shared: false,
  },
  speech: {
    lines: Array.from({ length: 10 }, () => turn).flat(),
    max_new_tokens: 4096,
    guidance_scale: voice.guidance_scale.default,
    temperature: voice.temperature.default,
    top_p: voice.top_p.default,
    top_k: voice.top_k.default,
    seed: 1,
    voices: [],
  },
};

/** @returns milliseconds from the cancel to the answer, or null when the dialogue was over before */
async function cancelAfter(milliseconds: number, run: string): Promise<number | null> {
  const abort = new AbortController();
  let asked = 0;
  const timer = setTimeout(() => {
    asked = performance.now();
    abort.abort();
  }, milliseconds);
  const outcome = await runner.run({ ...job, run }, () => {}, abort.signal);
  clearTimeout(timer);
  return outcome.type === "canceled" ? performance.now() - asked : null;
}

const started = performance.now();
await runner.run({ ...job, run: "whole" }, () => {}, new AbortController().signal);
const whole = performance.now() - started;
console.log(`the whole dialogue takes ${(whole / 1000).toFixed(1)} s`);
const times: number[] = [];
for (let i = 0; i < cancels; i++) {
  const at = ((i + 0.5) / cancels) * whole;
  const time = await cancelAfter(at, `cancel-${i}`);
  if (time !== null) times.push(time);
}
times.sort((a, b) => a - b);
const shown = (value: number | undefined) => `${Math.round(value ?? 0)} ms`;
console.log(
  `${times.length} cancels: median ${shown(times[times.length >> 1])}, 90 % ${shown(times[Math.floor(times.length * 0.9)])}, longest ${shown(times.at(-1))}`,
);
await runner.close();
await rm(folder, { recursive: true, force: true });

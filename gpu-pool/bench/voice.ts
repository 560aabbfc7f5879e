/**
 * Speed of a pack's voice: `bun gpu-pool/bench/voice.ts [pack folder] [threads] [cpu|cuda]`.
 * Prints load time, frames a second, real-time factor and what each stage took.
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PackManifest } from "@cartoon/protos/pack-manifest";
import { loadDia } from "../src/pipelines/dia/index.ts";

const dir = resolve(process.argv[2] ?? join(import.meta.dirname, "../packs/toon"));
const threads = Number(process.argv[3] ?? 2);
const device = process.argv[4] === "cuda" ? "cuda" : "cpu";
const manifest = PackManifest.parse(JSON.parse(await readFile(join(dir, "pack.json"), "utf8")));
const voice = await loadDia({ dir, manifest }, { device, threads });
console.log(`loaded in ${voice.loadSeconds.toFixed(2)} s`);

const turn = [
  { speaker: "S1", text: "Look at this incredible landscape! The mountains are glowing." },
  { speaker: "S2", text: "Amazing discovery! Let us take a picture." },
];
for (const [name, lines] of [
  ["2 lines", turn],
  ["2 lines", turn],
  ["20 lines", Array.from({ length: 10 }, () => turn).flat()],
] as const) {
  const settings = manifest.voice;
  if (!settings) throw new Error("the pack has no voice");
  const speech = await voice.speak({
    lines: [...lines],
    max_new_tokens: 4096,
    guidance_scale: settings.guidance_scale.default,
    temperature: settings.temperature.default,
    top_p: settings.top_p.default,
    top_k: settings.top_k.default,
    seed: 1,
    voices: [],
  });
  const seconds = speech.samples.length / speech.sampleRate;
  const { totalSeconds, decodeSeconds, codecSeconds, frames, retries } = speech.timings;
  console.log(
    `${name}: ${seconds.toFixed(2)} s of speech in ${totalSeconds.toFixed(2)} s, real-time factor ${(seconds / totalSeconds).toFixed(2)};` +
      ` Dia ${decodeSeconds.toFixed(2)} s, ${(frames / decodeSeconds).toFixed(0)} frames/s; DAC ${codecSeconds.toFixed(2)} s; ${retries} retries`,
  );
  for (const warning of speech.warnings.slice(0, 3)) console.log("  ", warning.rule, "->", warning.used);
}
await voice.release();

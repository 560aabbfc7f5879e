/**
 * Speaks a list of sentences the way the product does, for measurements of the voice:
 *
 *     bun gpu-pool/bench/voice-say.ts SENTENCES.json OUT [pack folder] [part]
 *
 * SENTENCES.json: `{ "test": [{ "speaker": 1, "text": "…" }, …] }`. Writes OUT/000.wav … and OUT/manifest.json, which
 * scripts/train-pack/evaluate/voice.py measures.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PackManifest } from "@cartoon/protos/pack-manifest";
import { toWav } from "../src/media/wav.ts";
import { loadDia } from "../src/pipelines/dia/index.ts";

const [sentences, out, pack, part = "test"] = process.argv.slice(2);
if (!sentences || !out) throw new Error("usage: voice-say.ts SENTENCES.json OUT [pack folder] [part]");
const dir = resolve(pack ?? join(import.meta.dirname, "../packs/toon"));
const manifest = PackManifest.parse(JSON.parse(await readFile(join(dir, "pack.json"), "utf8")));
const settings = manifest.voice;
if (!settings) throw new Error("the pack has no voice");
const voice = await loadDia({ dir, manifest }, { device: "cpu", threads: 2 });
const items: { speaker: number; text: string }[] = JSON.parse(await readFile(sentences, "utf8"))[part];
await mkdir(out, { recursive: true });
const written: { file: string; speaker: number; text: string }[] = [];
let seconds = 0;
let retries = 0;
const started = performance.now();
for (const [i, { speaker, text }] of items.entries()) {
  const speech = await voice.speak({
    lines: [{ speaker: `S${speaker}`, text }],
    max_new_tokens: 4096,
    guidance_scale: settings.guidance_scale.default,
    temperature: settings.temperature.default,
    top_p: settings.top_p.default,
    top_k: settings.top_k.default,
    seed: i,
    voices: [],
  });
  const file = `${String(i).padStart(3, "0")}.wav`;
  await writeFile(join(out, file), toWav(speech));
  written.push({ file, speaker, text });
  seconds += speech.samples.length / speech.sampleRate;
  retries += speech.timings.retries;
  for (const warning of speech.warnings) console.log(i, warning.rule, "->", warning.used);
}
await writeFile(join(out, "manifest.json"), JSON.stringify(written, undefined, 1));
const took = (performance.now() - started) / 1000;
console.log(
  `${items.length} sentences, ${seconds.toFixed(1)} s of speech in ${took.toFixed(1)} s, ${retries} retries`,
);
await voice.release();

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DiaVoice, loadDia } from "@cartoon/gpu-pool/pipelines/dia/index";
import { PackManifest } from "@cartoon/protos/pack-manifest";
import { root } from "../lib/root.ts";
import { script } from "./caption-script.ts";
import { nearestOnset, speechOnsets } from "./onsets.ts";

setDefaultTimeout(120_000);

const RATE = 16_000;

/** Tones `[from, to, hertz]` over a quiet floor. */
function tones(seconds: number, ...spans: [number, number, number][]): Float32Array {
  return Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const t = i / RATE;
    const span = spans.find(([from, to]) => t >= from && t < to);
    const floor = 0.0003 * Math.sin(i * i);
    return (
      floor +
      (span ? 0.3 * Math.sin(2 * Math.PI * span[2] * t) + 0.1 * Math.sin(6 * Math.PI * span[2] * t) : 0)
    );
  });
}

describe("how the proof measures", () => {
  const sound = { samples: tones(4, [0.5, 1, 120], [1.06, 1.5, 120], [2.25, 3.5, 220]), sampleRate: RATE };

  test("onsets are found by level; a short closure inside a word is none", () => {
    const onsets = speechOnsets(sound);
    expect(onsets).toHaveLength(2);
    expect(onsets[0]).toBeCloseTo(0.5, 2);
    expect(onsets[1]).toBeCloseTo(2.25, 2);
    expect(nearestOnset(onsets, 1.9)).toBeCloseTo(2.25, 2);
    expect(nearestOnset([], 1)).toBeUndefined();
  });
});

describe("the built-in voice", () => {
  let voice: DiaVoice;
  let manifest: PackManifest;
  let cacheDir: string;
  beforeAll(async () => {
    const dir = join(root, "gpu-pool/packs/toon");
    manifest = PackManifest.parse(JSON.parse(await readFile(join(dir, "pack.json"), "utf8")));
    cacheDir = await mkdtemp(join(tmpdir(), "cartoon-captions-"));
    voice = await loadDia({ dir, manifest }, { device: "cpu", threads: 1, cacheDir });
  });
  afterAll(async () => {
    await voice.release();
    await rm(cacheDir, { recursive: true, force: true });
  });

  test("every line starts within 150 ms of the speech it shows", async () => {
    const settings = manifest.voice;
    if (!settings) throw new Error("the pack has no voice");
    const lines = script(5).lines.map((text, i) => ({ speaker: i % 2 === 0 ? "temo" : "felfel", text }));
    const speech = await voice.speak({
      lines,
      max_new_tokens: 4096,
      guidance_scale: settings.guidance_scale.default,
      temperature: settings.temperature.default,
      top_p: settings.top_p.default,
      top_k: settings.top_k.default,
      seed: 7,
      voices: [],
    });
    expect(speech.lines).toHaveLength(5);
    const onsets = speechOnsets(speech);
    const found = speech.lines.map(({ start }) => nearestOnset(onsets, start) ?? Number.NaN);
    expect(new Set(found).size).toBe(5);
    for (const [i, { start }] of speech.lines.entries())
      expect(Math.abs(start - (found[i] ?? Number.NaN))).toBeLessThan(0.15);
  });
});

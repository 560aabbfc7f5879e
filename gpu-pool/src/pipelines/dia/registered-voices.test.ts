import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CharacterManifest } from "@cartoon/protos/pack-manifest";
import { toWav } from "../../media/wav.ts";
import { writeSpeakingPack } from "../../supervisor/testing/speaking-pack.ts";
import { safetensors } from "../animatediff/testing/tiny-pack.ts";
import { type DiaVoice, loadDia, type SpeakOptions, type VoicePack } from "./index.ts";

setDefaultTimeout(60_000);
const folders: string[] = [];
const open: DiaVoice[] = [];
afterAll(async () => {
  for (const voice of open) await voice.release();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** The golden runs' models with random weights: they speak noise, but they speak. */
async function load(change: (manifest: VoicePack["manifest"], dir: string) => void | Promise<void>) {
  const dir = await writeSpeakingPack();
  folders.push(dir);
  const manifest = JSON.parse(await readFile(join(dir, "pack.json"), "utf8"));
  // Rotary positions know no end: the same weights read and speak more, so that there is room for clips.
  const config = JSON.parse(await readFile(join(dir, "dia/config.json"), "utf8"));
  config.encoder_config.max_position_embeddings = 256;
  config.decoder_config.max_position_embeddings = 1024;
  await writeFile(join(dir, "dia/config.json"), JSON.stringify(config));
  manifest.voice.max_tokens = 1000;
  await change(manifest, dir);
  const voice = await loadDia(
    { dir, manifest: { ...manifest, voice: { characters_per_second: 14, ...manifest.voice } } },
    { device: "cpu", threads: 1 },
  );
  open.push(voice);
  return voice;
}

const character = (name: string, speaker: string, seed?: number): CharacterManifest => ({
  ...{ name, label: name, speaker, weight: 1, pair_weight: 0.5, triggers: [], suggestions: [] },
  voice: seed === undefined ? {} : { seed },
});
const speech = (...speakers: string[]) => ({
  ...{ max_new_tokens: 200, guidance_scale: 2, temperature: 1, top_p: 0.9, top_k: 12, seed: 42, voices: [] },
  lines: speakers.map((speaker, i) => ({ speaker, text: `Line ${i} is mine.` })),
});
const say = async (voice: DiaVoice, names: string[], options: SpeakOptions) => {
  const { samples, lines, warnings } = await voice.speak(speech(...names), options);
  return { sound: Buffer.from(samples.buffer).toString("base64"), lines, warnings };
};
const clip = (tone: number) =>
  toWav({
    samples: Float32Array.from({ length: 4800 }, (_, i) => 0.4 * Math.sin(i / tone)),
    sampleRate: 8000,
  });

describe("any number of registered characters", () => {
  let voice: DiaVoice;
  beforeAll(async () => {
    voice = await load(({ voice }) => {
      if (voice) voice.speakers = {};
    });
  });

  test("speak, each pair of neighbours with the model's two voices, each with its own clip", async () => {
    const names = ["ann", "bob", "cyd", "dan"];
    const characters = names.map((name) => character(name, "S1"));
    const references = names.map((name, i) => ({
      character: name,
      wav: clip(3 + i),
      transcript: "One.",
    }));
    const script = ["ann", "bob", "cyd", "dan", "ann"];
    const one = await say(voice, script, { characters, references });
    expect(one.lines.map((line) => line.character)).toEqual(script);
    for (const [i, line] of one.lines.entries()) expect(["S1", "S2"]).toContain(line.speaker ?? String(i));
    expect((await say(voice, script, { characters, references })).sound).toBe(one.sound);
    const changed = references.map((one, i) => (i === 2 ? { ...one, wav: clip(30) } : one));
    expect((await say(voice, script, { characters, references: changed })).sound).not.toBe(one.sound);
    await expect(say(voice, ["eve"], { characters })).rejects.toThrow(
      '"eve" is unknown; known: temo, felfel, ann',
    );
  });

  test("a seed pins a voice where the model has none of its own: the same in every run, another for another seed", async () => {
    const with_ = (seed?: number) => ({ characters: [character("ann", "S1", seed)] });
    const [plain, seven] = [await say(voice, ["ann"], with_()), await say(voice, ["ann"], with_(7))];
    expect(seven.sound).not.toBe(plain.sound);
    expect((await say(voice, ["ann"], with_(7))).sound).toBe(seven.sound);
    expect((await say(voice, ["ann"], with_(8))).sound).not.toBe(seven.sound);
    const again = await load(({ voice }) => {
      if (voice) voice.speakers = {};
    });
    expect((await say(again, ["ann"], with_(7))).sound).toBe(seven.sound);
    // A clip says more than a seed.
    const references = [{ character: "ann", wav: clip(4), transcript: "One." }];
    const clipped = await say(voice, ["ann"], { ...with_(7), references });
    expect((await say(voice, ["ann"], { ...with_(8), references })).sound).toBe(clipped.sound);
  });
});

test("a model with voices of its own says that a seed does nothing", async () => {
  const voice = await load(() => {});
  const { warnings } = await say(voice, ["ann"], { characters: [character("ann", "S2", 7)] });
  expect(warnings).toContainEqual(
    expect.objectContaining({ field: "voice of ann", given: "seed 7", used: "the model's own voice S2" }),
  );
});

test("a codec without encoder says that clips and seeds do nothing, and speaks", async () => {
  const voice = await load(async ({ voice }, dir) => {
    if (voice) voice.speakers = {};
    await keepDecoder(join(dir, "dac/model.safetensors"));
  });
  const references = [{ character: "ann", wav: clip(4), transcript: "One." }];
  const characters = [character("ann", "S1"), character("bob", "S2", 3)];
  const { warnings, lines } = await say(voice, ["ann", "bob"], { characters, references });
  expect(lines).toHaveLength(2);
  const told = warnings.filter(({ rule }) => rule.includes("no encoder")).map(({ field }) => field);
  expect(told).toEqual(["speech.voices.ann", "voice of bob"]);
});

/** Takes the encoder's tensors out of a file. */
async function keepDecoder(path: string): Promise<void> {
  const file = await readFile(path);
  const length = Number(file.readBigUInt64LE(0));
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> =
    JSON.parse(file.toString("utf8", 8, 8 + length));
  const kept = Object.entries(header)
    .filter(([key]) => key !== "__metadata__" && !key.startsWith("encoder."))
    .map(
      ([
        key,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const bytes = new Uint8Array(file.subarray(8 + length + from, 8 + length + to));
        const data =
          dtype === "F32"
            ? new Float32Array(bytes.buffer)
            : Float32Array.from(new Float16Array(bytes.buffer));
        return [key, { shape, data }] as const;
      },
    );
  await writeFile(path, safetensors(new Map(kept)));
}

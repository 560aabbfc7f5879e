import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import dac from "../../../test-fixtures/voice/dac-even.json";
import dia from "../../../test-fixtures/voice/dia-prompted.json";
import { type FixtureDtype, writeFormulaWeights } from "../../../test-fixtures/voice/formula-weights.ts";
import { writeTinyPack } from "../../pipelines/animatediff/testing/tiny-pack.ts";

// The golden models were not made for each other: here the codec gets as many codes as the voice speaks.
const CODES = 32;
const codec = {
  ...dac,
  config: { ...dac.config, codebook_size: CODES, sampling_rate: 8000 },
  shapes: Object.fromEntries(
    Object.entries(dac.shapes).map(([name, shape]) => [
      name,
      name.endsWith(".codebook.weight") ? [CODES, ...shape.slice(1)] : shape,
    ]),
  ),
};

const VOICE = {
  sample_rate: 8_000,
  max_tokens: 240,
  guidance_scale: { default: 2 },
  temperature: { default: 1 },
  top_p: { default: 0.9 },
  top_k: { default: 12 },
  chunk_seconds: { min: 0.5, max: 3 },
  alignment_head: { layer: 1, head: 0 },
  text: { normaliser: "plain" },
  speakers: { S1: "temo", S2: "felfel" },
};

/** The tiny pack of the golden runs with a tiny voice: random weights, every part of the real thing. */
export async function writeSpeakingPack(): Promise<string> {
  const folder = await writeTinyPack();
  for (const [name, fixture] of Object.entries({ dia, dac: codec })) {
    const part = join(folder, name);
    await mkdir(part);
    await writeFile(join(part, "config.json"), JSON.stringify(fixture.config));
    const weights = join(part, "model.safetensors");
    await writeFormulaWeights(weights, fixture.shapes, fixture.gain, fixture.dtype as FixtureDtype);
  }
  const path = join(folder, "pack.json");
  const manifest = JSON.parse(await readFile(path, "utf8"));
  Object.assign(manifest.components, { dia: "dia", dac: "dac" });
  await writeFile(path, JSON.stringify({ ...manifest, voice: VOICE }));
  return folder;
}

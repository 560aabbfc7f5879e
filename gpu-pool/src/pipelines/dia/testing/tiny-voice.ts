import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import dac from "../../../../test-fixtures/voice/dac-even.json";
import dia from "../../../../test-fixtures/voice/dia-prompted.json";
import { type FixtureDtype, writeFormulaWeights } from "../../../../test-fixtures/voice/formula-weights.ts";

/** The golden models were not made for each other: here the codec gets as many codes as Dia speaks. */
const CODES = 32;

/** What a pack says of the tiny voice, but for its speakers. */
export const TINY_VOICE = {
  sample_rate: 8_000,
  max_tokens: 240,
  guidance_scale: { default: 2 },
  temperature: { default: 1 },
  top_p: { default: 0.9 },
  top_k: { default: 12 },
  chunk_seconds: { min: 0.5, max: 3 },
  alignment_head: { layer: 1, head: 0 },
  text: { normaliser: "plain" as const },
};

/**
 * Writes the goldens' Dia and DAC to `folder`/dia and `folder`/dac: random models that speak noise, but speak, 250 frames
 * a second at 8 kHz.
 */
export async function writeTinyVoice(folder: string, sampleRate = TINY_VOICE.sample_rate): Promise<void> {
  const codec = {
    ...dac,
    config: { ...dac.config, codebook_size: CODES, sampling_rate: sampleRate },
    shapes: Object.fromEntries(
      Object.entries(dac.shapes).map(([name, shape]) => [
        name,
        name.endsWith(".codebook.weight") ? [CODES, ...shape.slice(1)] : shape,
      ]),
    ),
  };
  for (const [name, { config, shapes, gain, dtype }] of Object.entries({ dia, dac: codec })) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "config.json"), JSON.stringify(config));
    const file = join(folder, name, "model.safetensors");
    await writeFormulaWeights(file, shapes, gain, dtype as FixtureDtype);
  }
}

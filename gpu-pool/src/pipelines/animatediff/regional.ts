import type { ChosenCharacter } from "./characters.ts";
import type { LatentShape } from "./latents.ts";
import type { CharacterAdapter, Prediction, Predictor } from "./predict.ts";
import type { FrameWindow } from "./windows.ts";

/** Share of a region's width over which it fades into its neighbour, on each side of the border. */
const FADE = 0.25;

/**
 * Keeps characters apart: each has its own vertical band of the picture, from left to right in the order chosen,
 * where only its LoRA acts, at the weight it has alone. Costs one UNet pass per character.
 */
export class RegionalPredictor implements Predictor {
  readonly #predictors: readonly Predictor[];

  constructor(predictors: readonly Predictor[]) {
    this.#predictors = predictors;
  }

  async predict(
    sample: Float32Array,
    shape: LatentShape,
    window: FrameWindow,
    timestep: number,
    guided: boolean,
  ): Promise<Prediction> {
    const masks = regionMasks(shape.width, this.#predictors.length);
    const cond = new Float32Array(sample.length);
    const uncond = guided ? new Float32Array(sample.length) : undefined;
    for (const [i, predictor] of this.#predictors.entries()) {
      const part = await predictor.predict(sample, shape, window, timestep, guided);
      const mask = masks[i] ?? [];
      addMasked(cond, part.cond, mask);
      if (uncond && part.uncond) addMasked(uncond, part.uncond, mask);
    }
    return { cond, uncond };
  }
}

/** The weight that a character has in its own region: what was asked for beside others, as if it were alone. */
export function soloAdapter(adapter: CharacterAdapter, { manifest }: ChosenCharacter): CharacterAdapter {
  const factor = manifest.pair_weight > 0 ? manifest.weight / manifest.pair_weight : 1;
  return { ...adapter, weight: adapter.weight * factor };
}

/** One weight per column for each region; they add up to 1 in every column. */
export function regionMasks(width: number, count: number): number[][] {
  const band = width / count;
  const ramp = (x: number, border: number) =>
    Math.min(1, Math.max(0, 0.5 + (x - border) / (2 * FADE * band)));
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: width }, (_, column) => {
      const x = column + 0.5;
      const entered = i === 0 ? 1 : ramp(x, i * band);
      const left = i === count - 1 ? 0 : ramp(x, (i + 1) * band);
      return entered - left;
    }),
  );
}

function addMasked(sum: Float32Array, part: Float32Array, mask: readonly number[]): void {
  for (let i = 0; i < sum.length; i++)
    sum[i] = (sum[i] as number) + (mask[i % mask.length] ?? 0) * (part[i] as number);
}

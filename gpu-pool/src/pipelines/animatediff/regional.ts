import type { ChosenCharacter } from "./characters.ts";
import type { CharacterAdapter, Prediction, Predictor, WindowPass } from "./predict.ts";
import type { SharedPass } from "./types.ts";

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

  async predict(pass: WindowPass, guided: boolean): Promise<Prediction> {
    const parts: Prediction[] = [];
    for (const predictor of this.#predictors) parts.push(await predictor.predict(pass, guided));
    const unconds = parts.flatMap(({ uncond }) => (uncond ? [uncond] : []));
    return {
      cond: joinRegions(
        parts.map(({ cond }) => cond),
        pass.shape.width,
      ),
      uncond: guided ? joinRegions(unconds, pass.shape.width) : undefined,
    };
  }

  async predictPart(pass: WindowPass, part: SharedPass["part"]): Promise<Float32Array> {
    const parts: Float32Array[] = [];
    for (const predictor of this.#predictors) parts.push(await predictor.predictPart(pass, part));
    return joinRegions(parts, pass.shape.width);
  }

  get shared(): boolean {
    return this.#predictors.every(({ shared }) => shared);
  }

  begin(pass: WindowPass, part: SharedPass["part"]): Promise<Float32Array> | undefined {
    const begun = this.#predictors.flatMap((predictor) => predictor.begin(pass, part) ?? []);
    if (begun.length < this.#predictors.length) return undefined;
    return Promise.all(begun).then((parts) => joinRegions(parts, pass.shape.width));
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

/** Each region's own part of the picture. */
function joinRegions(parts: readonly Float32Array[], width: number): Float32Array {
  const masks = regionMasks(width, parts.length);
  const sum = new Float32Array(parts[0]?.length ?? 0);
  for (const [region, part] of parts.entries()) {
    const mask = masks[region] ?? [];
    for (let i = 0; i < sum.length; i++)
      sum[i] = (sum[i] as number) + (mask[i % mask.length] ?? 0) * (part[i] as number);
  }
  return sum;
}

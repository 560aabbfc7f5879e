import { scaled } from "./latents.ts";
import type { ResolvedClip } from "./settings.ts";

/**
 * Classifier-free guidance in float32: `n = u + g·(c − u)`.
 * @param rescale φ of arXiv 2305.08891, section 3.4: `φ·n·std(c)/std(n) + (1 − φ)·n`; 0 leaves n alone
 * @param guided where to; may be `uncond`
 */
export function guide(
  uncond: Float32Array,
  cond: Float32Array,
  scale: number,
  rescale: number,
  guided: Float32Array = new Float32Array(cond.length),
): Float32Array {
  for (let i = 0; i < guided.length; i++) {
    const u = uncond[i] as number;
    guided[i] = u + scale * ((cond[i] as number) - u);
  }
  if (rescale === 0) return guided;
  const factor = rescale * (standardDeviation(cond) / standardDeviation(guided)) + (1 - rescale);
  return scaled(guided, factor, guided);
}

/** Unbiased, as `torch.std`. */
export function standardDeviation(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}

/**
 * Steps that are guided. `fast` leaves guidance out at both ends of the noise range, where it changes the picture
 * least (arXiv 2404.07724): those steps need half the work.
 */
export function isGuided(step: number, steps: number, scale: number, quality: "full" | "fast"): boolean {
  if (scale <= 1) return false;
  if (quality === "full") return true;
  const progress = step / steps;
  return progress >= FAST_INTERVAL.from && progress < FAST_INTERVAL.to;
}

const FAST_INTERVAL = { from: 0.1, to: 0.65 };

/**
 * Whether steps of a clip may take over the deep features of the step before. Their sample must be known while that
 * one still runs, so samplers that clamp their guess, rescaled guidance and regions are left out.
 */
export function reusesFeatures({ quality, scheduler, guidanceRescale, blend }: ResolvedClip): boolean {
  const affine = scheduler.clip === Number.POSITIVE_INFINITY && guidanceRescale === 0;
  return quality === "fast" && affine && blend !== "regional";
}

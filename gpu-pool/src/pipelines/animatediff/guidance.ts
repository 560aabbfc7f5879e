import type { ResolvedClip } from "./settings.ts";

/**
 * Classifier-free guidance in float32: `n = u + g·(c − u)`.
 * @param rescale φ of arXiv 2305.08891, section 3.4: `φ·n·std(c)/std(n) + (1 − φ)·n`; 0 leaves n alone
 */
export function guide(
  uncond: Float32Array,
  cond: Float32Array,
  scale: number,
  rescale: number,
): Float32Array {
  const guided = cond.map((c, i) => {
    const u = uncond[i] as number;
    return u + scale * (c - u);
  });
  if (rescale === 0) return guided;
  const factor = rescale * (standardDeviation(cond) / standardDeviation(guided)) + (1 - rescale);
  return guided.map((value) => value * factor);
}

/** Unbiased, as `torch.std`. */
export function standardDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
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

import type { Mt19937 } from "../../random/index.ts";
import { freeNoise } from "./free-noise.ts";
import { type LatentShape, latentCount, scaled } from "./latents.ts";
import type { ResolvedClip } from "./settings.ts";

/** Standard normal noise of a clip, in the order that torch draws it: `[channels, frames, height, width]`. */
export function initialNoise(
  clip: ResolvedClip,
  shape: LatentShape,
  random: Mt19937,
  useFreeNoise: boolean,
): Float32Array {
  const noise = random.randn(latentCount(shape));
  const { window, overlap } = clip.windows;
  if (!useFreeNoise || shape.frames <= window) return noise;
  return freeNoise(
    noise,
    shape,
    window,
    Math.max(1, window - Math.max(overlap, Math.floor(window / 2))),
    random,
  );
}

/** Noise scaled for the sampler; with a first image, its latents noised to where sampling starts. */
export function initialLatents(
  clip: ResolvedClip,
  noise: Float32Array,
  start: { step: number; image: Float32Array | undefined },
): Float32Array {
  const { scheduler } = clip;
  const { image } = start;
  if (!image) return scaled(noise, scheduler.initNoiseSigma);
  const mix = scheduler.addNoise[start.step];
  if (!mix) throw new RangeError(`step ${start.step} of ${scheduler.addNoise.length}`);
  return noise.map((value, i) => mix.signal * (image[i] as number) + mix.noise * value);
}

import type { Mt19937 } from "../../random/index.ts";
import { gatherFrames, type LatentShape } from "./latents.ts";

/**
 * FreeNoise (arXiv 2310.15169): frames past the first window repeat the window's noise in shuffled order, so that a
 * long clip keeps its subject. `for i in range(L, F, S): frames [i, i+S) = a permutation of frames [i−L, i−L+S)`.
 * @param noise standard normal values; the frames past the first window are replaced
 */
export function freeNoise(
  noise: Float32Array,
  shape: LatentShape,
  window: number,
  stride: number,
  random: Mt19937,
): Float32Array {
  const source = Array.from({ length: shape.frames }, (_, i) => i);
  for (let start = window; start < shape.frames; start += stride) {
    const group = source.slice(start - window, start - window + stride);
    const order = random.permutation(group.length);
    for (const [i, pick] of Array.from(order).entries())
      if (start + i < shape.frames) source[start + i] = group[pick] ?? 0;
  }
  return gatherFrames(noise, shape, source);
}

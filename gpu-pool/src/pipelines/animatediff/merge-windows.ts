import { isWholeClip, type LatentShape, latentCount } from "./latents.ts";
import { type FrameWindow, pyramidWeights } from "./windows.ts";

/** What one window says of a frame. */
interface Share {
  readonly part: Float32Array;
  /** Of the window. */
  readonly frames: number;
  /** Of the frame, in the window. */
  readonly index: number;
  readonly weight: number;
}

/**
 * The windows' predictions as one for all frames: where windows overlap, their mean with pyramid weights. Frame by frame,
 * whose numbers then stay in the processor's cache.
 * @param parts by window, [channels, window frames, height, width]
 * @param place makes an array of so many numbers for the result, where there is more than one part
 */
export function mergeWindows(
  parts: readonly Float32Array[],
  windows: readonly FrameWindow[],
  shape: LatentShape,
  place: (length: number) => Float32Array,
): Float32Array {
  const [first] = parts;
  if (first && parts.length === 1 && isWholeClip(shape, windows[0] ?? [])) return first;
  const area = shape.height * shape.width;
  const merged = place(latentCount(shape));
  for (const [frame, shares] of sharesByFrame(parts, windows, shape.frames).entries()) {
    const divisor = shares.reduce((sum, { weight }) => sum + weight, 0);
    for (let channel = 0; channel < shape.channels; channel++) {
      const start = (channel * shape.frames + frame) * area;
      const block = merged.subarray(start, start + area);
      block.fill(0);
      for (const { part, frames, index, weight } of shares)
        addTimes(block, part.subarray((channel * frames + index) * area), weight);
      divide(block, divisor);
    }
  }
  return merged;
}

function addTimes(sum: Float32Array, values: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (values[i] as number);
}

function divide(values: Float32Array, divisor: number): void {
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / divisor;
}

function sharesByFrame(
  parts: readonly Float32Array[],
  windows: readonly FrameWindow[],
  frames: number,
): Share[][] {
  const shares = Array.from({ length: frames }, (): Share[] => []);
  for (const [i, part] of parts.entries()) {
    const window = windows[i] ?? [];
    const weights = pyramidWeights(window.length);
    for (const [index, frame] of window.entries())
      shares[frame]?.push({ part, frames: window.length, index, weight: weights[index] ?? 0 });
  }
  return shares;
}

/** Frames of one UNet pass, in the order that the motion modules see them. */
export type FrameWindow = readonly number[];

export interface WindowPlan {
  frames: number;
  window: number;
  overlap: number;
  schedule: "static" | "uniform";
  /** Windows wrap around, so that the last frame leads into the first. */
  loop: boolean;
}

/**
 * Context windows for a step. A clip that fits into one window is one pass.
 * Static windows start every `window − overlap` frames, the last one moved back to end with the clip (AnimateDiff-
 * Evolved, `static_standard`: 48 frames by 16 with overlap 4 start at 0, 12, 24, 32). Uniform windows shift their
 * seams with the step by `ordered_halving`; looping clips turn the ring of frames by it.
 */
export function contextWindows(plan: WindowPlan, step: number): FrameWindow[] {
  const { frames, loop } = plan;
  const window = Math.min(plan.window, frames);
  const stride = window - Math.min(plan.overlap, window - 1);
  if (loop) {
    const turn = Math.floor(orderedHalving(step) * frames);
    const starts = frames <= window ? [0] : range(0, frames, stride);
    return starts.map((start) => ring(start + turn, window, frames));
  }
  if (frames <= window) return [ring(0, frames, frames)];
  const last = frames - window;
  const shift = plan.schedule === "uniform" ? Math.floor(orderedHalving(step) * stride) : 0;
  const starts = [0, ...range(shift === 0 ? stride : shift, last, stride), last];
  return starts.map((start) => ring(start, window, frames));
}

/** Weights of a window's frames where windows overlap: `1 … L/2, L/2 … 1`. */
export function pyramidWeights(length: number): number[] {
  return Array.from({ length }, (_, i) => Math.min(i + 1, length - i));
}

/** Bit-reversed step as a fraction: 0, 1/2, 1/4, 3/4, 1/8 … */
export function orderedHalving(step: number): number {
  let fraction = 0;
  for (let bit = 0.5, rest = step; rest > 0; bit /= 2, rest = Math.floor(rest / 2))
    fraction += bit * (rest % 2);
  return fraction;
}

function ring(start: number, length: number, frames: number): number[] {
  return Array.from({ length }, (_, i) => (start + i) % frames);
}

function range(start: number, stop: number, step: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step);
}

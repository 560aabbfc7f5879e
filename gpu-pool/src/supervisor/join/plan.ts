import type { JoinSpec, Warning } from "@cartoon/protos";

/** Where a shot lies on the joined clip's time line, in frames. */
export interface Place {
  start: number;
  frames: number;
  /** Frames shared with the next shot. */
  overlap: number;
}

export interface JoinPlan {
  places: Place[];
  /** Pixels, even numbers. */
  width: number;
  height: number;
  /** Length of the result. */
  seconds: number;
  warnings: Warning[];
}

const even = (pixels: number): number => Math.max(2, pixels - (pixels % 2));

/**
 * Puts shots one after the other on a grid of frames. A cross-fade takes its time from both of its shots, and leaves
 * each at least one frame of its own: one that is too long for them is shortened, never silently.
 * @param seconds length of each shot
 */
export function planJoin({ transitions, fps, width, height }: JoinSpec, seconds: number[]): JoinPlan {
  const warnings: Warning[] = [];
  const counts = seconds.map((one) => Math.max(1, Math.round(one * fps)));
  const places: Place[] = [];
  let start = 0;
  counts.forEach((frames, i) => {
    const before = places.at(-1)?.overlap ?? 0;
    const next = counts[i + 1];
    const wanted = Math.round((transitions[i]?.type === "crossfade" ? transitions[i].seconds : 0) * fps);
    const shares = transitions[i + 1]?.type === "crossfade" ? 2 : 1;
    const room = next === undefined ? 0 : Math.min(frames - before - 1, Math.floor((next - 1) / shares));
    const overlap = Math.max(0, Math.min(wanted, room));
    if (overlap < wanted) {
      const used = overlap === 0 ? "cut" : `${overlap / fps}`;
      const rule = "a cross-fade is shorter than the shots that it joins";
      warnings.push({ field: `transitions.${i}.seconds`, given: `${transitions[i]?.seconds}`, used, rule });
    }
    places.push({ start, frames, overlap });
    start += frames - overlap;
  });
  return { places, width: even(width), height: even(height), seconds: start / fps, warnings };
}

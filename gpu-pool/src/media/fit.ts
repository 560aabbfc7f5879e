import type { FIT_POLICIES } from "@cartoon/protos";

export type FitPolicy = (typeof FIT_POLICIES)[number];

/** Index of a frame to show, or -1 for a black one. */
export type Timeline = number[];

export interface Fit {
  timeline: Timeline;
  /** Length of the result. Speech is cut or padded with silence to exactly this. */
  seconds: number;
}

/**
 * Which frame of a clip of `count` frames is shown when, so that picture and speech end together.
 *
 * - `pingpong`: the clip runs forwards and backwards until the speech has ended
 * - `loop`, `extend`: the clip starts again from its first frame (an extended clip is long enough by itself)
 * - `hold`: the last frame stays until the speech has ended
 * - `trim`: the longer of both is cut
 * - `pad`: nothing is repeated; black frames or silence fill up the shorter of both
 *
 * Speech shorter than the clip is followed by silence, except under `trim`.
 */
export function fitClip(
  count: number,
  fps: number,
  speechSeconds: number | undefined,
  policy: FitPolicy,
): Fit {
  const wanted = speechSeconds === undefined ? count : Math.max(1, Math.ceil(speechSeconds * fps - 1e-6));
  const length = policy === "trim" ? Math.min(count, wanted) : Math.max(count, wanted);
  const timeline = Array.from({ length }, (_, i) => frameIndex(i, count, policy));
  return { timeline, seconds: length / fps };
}

function frameIndex(i: number, count: number, policy: FitPolicy): number {
  if (i < count) return i;
  switch (policy) {
    case "pingpong":
      return pingpong(i, count);
    case "loop":
    case "extend":
      return i % count;
    case "hold":
      return count - 1;
    case "trim":
    case "pad":
      return -1;
  }
}

/** 0 1 2 3 2 1 0 1 …: the turning frames are shown once. */
function pingpong(i: number, count: number): number {
  if (count === 1) return 0;
  const period = 2 * (count - 1);
  const phase = i % period;
  return phase < count ? phase : period - phase;
}

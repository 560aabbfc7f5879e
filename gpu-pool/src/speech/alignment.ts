/**
 * Where in the speech each segment of the text begins, read from the attention of the frames to the text.
 *
 * For every border the frame is chosen that best separates frames that look at the text before the segment
 * from frames that look at the segment or later (maximum likelihood of one change point); borders rise.
 * @param alignment per frame, attention to each byte of the text (sums to 1)
 * @param starts byte index of each segment's tag, the first being 0
 * @returns frame of each segment's beginning, the first being 0
 */
export function segmentFrames(alignment: readonly Float32Array[], starts: readonly number[]): number[] {
  const frames = alignment.length;
  const borders = [0];
  for (const start of starts.slice(1)) {
    const from = borders.at(-1) ?? 0;
    let gain = 0;
    let best = 0;
    let border = from;
    // Going through the frames backwards: those from here on look at `start` or later.
    for (let f = frames - 1; f >= from; f--) {
      const late = massFrom(alignment[f] ?? new Float32Array(0), start);
      gain += Math.log((late + 1e-3) / (1 - late + 1e-3));
      if (gain > best || f === frames - 1) {
        best = gain;
        border = f;
      }
    }
    borders.push(border);
  }
  return borders;
}

function massFrom(weights: Float32Array, start: number): number {
  let sum = 0;
  for (let i = start; i < weights.length; i++) sum += weights[i] ?? 0;
  return Math.min(1, Math.max(0, sum));
}

export interface Reading {
  /** Share of the text that the speech got to, 0 to 1. */
  readonly reached: number;
  /** Longest way back in the text, as a share of its length: more than a little is a repetition. */
  readonly back: number;
  /** Seconds after which the last of the text was read. */
  readonly readAt: number;
}

/** How the speech went through the text. Positions are smoothed over a quarter of a second of frames. */
export function readingOf(alignment: readonly Float32Array[], frameRate: number): Reading {
  const length = alignment[0]?.length ?? 0;
  if (length === 0) return { reached: 1, back: 0, readAt: alignment.length / frameRate };
  const positions = alignment.map(peak);
  const half = Math.max(1, Math.round(frameRate / 8));
  let furthest = 0;
  let back = 0;
  let readAt = 0;
  for (let f = 0; f < positions.length; f++) {
    const near = positions.slice(Math.max(0, f - half), f + half + 1).sort((a, b) => a - b);
    const position = near[Math.floor(near.length / 2)] ?? 0;
    if (position > furthest) readAt = f / frameRate;
    furthest = Math.max(furthest, position);
    back = Math.max(back, furthest - position);
  }
  return { reached: (furthest + 1) / length, back: back / length, readAt };
}

function peak(weights: Float32Array): number {
  let best = 0;
  for (let i = 1; i < weights.length; i++) if ((weights[i] ?? 0) > (weights[best] ?? 0)) best = i;
  return best;
}

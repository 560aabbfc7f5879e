/** Best attention head for following the text, and how well it does so, 0 to 1. */
export interface HeadChoice {
  readonly head: number;
  readonly score: number;
}

/**
 * Finds the head that reads the text from beginning to end as the speech goes on: its position rises with time
 * (correlation) and covers the text.
 * @param positions mean position in the text by head, then frame
 * @param textLength bytes of the text that is read
 */
export function chooseHead(positions: readonly Float32Array[], textLength: number): HeadChoice | null {
  let best: HeadChoice | null = null;
  for (const [head, track] of positions.entries()) {
    const covered = (quantile(track, 0.95) - quantile(track, 0.05)) / Math.max(1, textLength);
    const score = Math.max(0, risesWithTime(track)) * Math.min(1, covered / 0.6);
    if (!best || score > best.score) best = { head, score };
  }
  return best;
}

/** Pearson's correlation of a track with its index; 0 for a constant one. */
function risesWithTime(track: Float32Array): number {
  const n = track.length;
  const middle = (n - 1) / 2;
  const mean = track.reduce((a, b) => a + b, 0) / Math.max(1, n);
  let both = 0;
  let time = 0;
  let position = 0;
  for (const [i, value] of track.entries()) {
    both += (i - middle) * (value - mean);
    time += (i - middle) ** 2;
    position += (value - mean) ** 2;
  }
  return position === 0 || time === 0 ? 0 : both / Math.sqrt(time * position);
}

function quantile(values: Float32Array, share: number): number {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

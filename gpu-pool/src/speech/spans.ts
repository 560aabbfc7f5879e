import { voicedWindows, windowLevels } from "./energy.ts";

export interface Span {
  /** Seconds. */
  readonly start: number;
  readonly end: number;
}

const WINDOW_SECONDS = 0.01;

/**
 * First and last sound of each segment of a chunk.
 * @param borders rough beginning of each segment in seconds; each moves to the quietest moment nearby
 * @param reach how far a border may move, in seconds
 */
export function segmentSpans(
  samples: Float32Array,
  sampleRate: number,
  borders: readonly number[],
  reach: number,
): Span[] {
  const levels = windowLevels(samples, Math.round(sampleRate * WINDOW_SECONDS));
  const voiced = voicedWindows(levels);
  const cuts = borders.map((border, i) => (i === 0 ? 0 : quietest(levels, border, reach)));
  cuts.push(levels.length);
  return borders.map((_, i) => {
    const from = cuts[i] ?? 0;
    const to = Math.max(from, cuts[i + 1] ?? levels.length);
    const part = voiced.slice(from, to);
    const first = Math.max(0, part.indexOf(true));
    const last = part.lastIndexOf(true);
    const end = last < 0 ? to : from + last + 1;
    return { start: (from + first) * WINDOW_SECONDS, end: end * WINDOW_SECONDS };
  });
}

/** Window in the middle of the quietest 60 ms around a moment; nearer ones win over equally quiet ones. */
function quietest(levels: Float32Array, seconds: number, reach: number): number {
  const centre = Math.min(levels.length - 1, Math.max(0, Math.round(seconds / WINDOW_SECONDS)));
  const range = Math.round(reach / WINDOW_SECONDS);
  let best = centre;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let w = Math.max(0, centre - range); w <= Math.min(levels.length - 1, centre + range); w++) {
    let sum = 0;
    for (let i = -3; i <= 3; i++) sum += (levels[Math.min(levels.length - 1, Math.max(0, w + i))] ?? 0) ** 2;
    const score = Math.log10(sum / 7 + 1e-9) + (0.5 * Math.abs(w - centre)) / (range + 1);
    if (score < bestScore) {
      bestScore = score;
      best = w;
    }
  }
  return best;
}

/** Borders by the length of the texts alone, for models whose attention cannot be read. */
export function proportionalBorders(lengths: readonly number[], seconds: number): number[] {
  const total = lengths.reduce((a, b) => a + b, 0);
  let before = 0;
  return lengths.map((length) => {
    const border = (before / Math.max(1, total)) * seconds;
    before += length;
    return border;
  });
}

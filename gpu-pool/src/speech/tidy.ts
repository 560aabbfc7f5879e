import { voicedWindows, windowLevels } from "./energy.ts";

const WINDOW_SECONDS = 0.01;

export interface TidyOptions {
  /** Silence left before the first and after the last sound. */
  readonly leadSeconds: number;
  readonly tailSeconds: number;
  /** Longer silences inside are shortened to this. */
  readonly pauseSeconds: number;
}

export interface Tidied {
  readonly samples: Float32Array;
  /** Where a moment of the original lies now, in seconds. */
  readonly moved: (seconds: number) => number;
}

/** Cuts silence at both ends and shortens long silences inside; cuts lie in silence and are cross-faded. */
export function tidySilence(samples: Float32Array, sampleRate: number, options: TidyOptions): Tidied {
  const window = Math.max(1, Math.round(sampleRate * WINDOW_SECONDS));
  const voiced = voicedWindows(windowLevels(samples, window));
  const first = voiced.indexOf(true);
  if (first < 0) return { samples: new Float32Array(0), moved: () => 0 };
  const last = voiced.lastIndexOf(true);
  const windows = (seconds: number) => Math.round(seconds / WINDOW_SECONDS);
  const start = Math.max(0, first - windows(options.leadSeconds)) * window;
  const end = Math.min(samples.length, (last + 1 + windows(options.tailSeconds)) * window);
  const kept = keptRanges(voiced, first, last, windows(options.pauseSeconds)).map(([from, to]) => ({
    from: from === first ? start : from * window,
    to: to === last + 1 ? end : Math.min(samples.length, to * window),
  }));
  const fade = Math.round(sampleRate * 0.005);
  const joined = new Float32Array(kept.reduce((sum, { from, to }) => sum + to - from, 0));
  let at = 0;
  for (const { from, to } of kept) {
    const part = samples.slice(from, to);
    fadeEnds(part, fade);
    joined.set(part, at);
    at += part.length;
  }
  const moved = (seconds: number) => {
    const sample = seconds * sampleRate;
    let before = 0;
    for (const { from, to } of kept) {
      if (sample < from) break;
      before += Math.min(sample, to) - from;
    }
    return before / sampleRate;
  };
  return { samples: joined, moved };
}

const STRAY = { longestSeconds: 0.15, silenceSeconds: 0.05, decibels: 30 } as const;

/**
 * Cuts a burst at the very end: a short sound after a silence that has not died away when the chunk ends. A word ends
 * otherwise; this is what a model says when it has finished and not yet stopped.
 */
export function withoutStrayEnd(samples: Float32Array, sampleRate: number): Float32Array {
  const window = Math.max(1, Math.round(sampleRate * WINDOW_SECONDS));
  const levels = windowLevels(samples, window);
  const loud = Float32Array.from(levels).sort()[Math.floor(levels.length * 0.9)] ?? 0;
  const heard = (w: number) => (levels[w] ?? 0) > loud * 10 ** (-STRAY.decibels / 20);
  // The last window may be a short one.
  let last = levels.length - 1;
  if (!heard(last)) last -= 1;
  let first = last;
  while (first >= 0 && heard(first)) first -= 1;
  let silent = first;
  while (silent >= 0 && !heard(silent)) silent -= 1;
  const [burst, before] = [last - first, first - silent].map((windows) => windows * WINDOW_SECONDS);
  const stray = burst && before && burst <= STRAY.longestSeconds && before >= STRAY.silenceSeconds - 1e-9;
  return stray && silent >= 0 ? samples.subarray(0, (first + 1) * window) : samples;
}

/** Ranges of windows to keep: all but the middle of long silences. */
function keptRanges(
  voiced: readonly boolean[],
  first: number,
  last: number,
  pause: number,
): [number, number][] {
  const ranges: [number, number][] = [];
  let from = first;
  let silent = 0;
  for (let w = first; w <= last; w++) {
    if (!voiced[w]) {
      silent += 1;
      continue;
    }
    if (silent > pause) {
      const half = Math.floor(pause / 2);
      ranges.push([from, w - silent + half]);
      from = w - (pause - half);
    }
    silent = 0;
  }
  ranges.push([from, last + 1]);
  return ranges;
}

/** Raised-cosine fades at both ends, in place. */
export function fadeEnds(samples: Float32Array, length: number): void {
  const n = Math.min(length, Math.floor(samples.length / 2));
  for (let i = 0; i < n; i++) {
    const gain = 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / n);
    samples[i] = (samples[i] ?? 0) * gain;
    const mirror = samples.length - 1 - i;
    samples[mirror] = (samples[mirror] ?? 0) * gain;
  }
}

/** Where speech begins in a waveform, found from its level alone. */

const HOP_SECONDS = 0.005;
/** A pause shorter than this is part of a word: the closure of a stop consonant lasts up to about 100 ms. */
const MIN_SILENCE_SECONDS = 0.12;
/** Below the loud parts of the speech by this much is silence. */
const SILENCE_DECIBELS = 32;

export interface Waveform {
  /** Mono, -1 to 1. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

/** Level of every 5 ms in dBFS. */
export function levelTrack({ samples, sampleRate }: Waveform): Float32Array {
  const hop = Math.round(sampleRate * HOP_SECONDS);
  return Float32Array.from({ length: Math.floor(samples.length / hop) }, (_, i) => {
    let sum = 0;
    for (let k = i * hop; k < (i + 1) * hop; k++) sum += (samples[k] ?? 0) ** 2;
    return 10 * Math.log10(sum / hop + 1e-12);
  });
}

/** Moments, in seconds, at which sound begins after a silence; the first sound of all is one. */
export function speechOnsets(waveform: Waveform): number[] {
  const levels = levelTrack(waveform);
  const loud = Float32Array.from(levels).sort()[Math.floor(levels.length * 0.95)] ?? 0;
  const threshold = loud - SILENCE_DECIBELS;
  const onsets: number[] = [];
  let silent = Number.POSITIVE_INFINITY;
  for (const [i, level] of levels.entries()) {
    if (level <= threshold) silent += HOP_SECONDS;
    else {
      if (silent >= MIN_SILENCE_SECONDS) onsets.push(i * HOP_SECONDS);
      silent = 0;
    }
  }
  return onsets;
}

/** The onset nearest to a moment. */
export function nearestOnset(onsets: readonly number[], seconds: number): number | undefined {
  const [nearest] = onsets.toSorted((a, b) => Math.abs(a - seconds) - Math.abs(b - seconds));
  return nearest;
}

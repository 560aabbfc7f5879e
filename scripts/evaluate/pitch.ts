import type { Waveform } from "./onsets.ts";

const LOWEST = 70;
const HIGHEST = 420;
const FRAME_SECONDS = 0.04;
const HOP_SECONDS = 0.02;
/** A frame whose autocorrelation is lower than this has no pitch. */
const VOICED = 0.6;

/** Median pitch in hertz between two moments, by autocorrelation; NaN where nothing is voiced. */
export function medianPitch({ samples, sampleRate }: Waveform, from: number, to: number): number {
  const length = Math.round(FRAME_SECONDS * sampleRate);
  const found: number[] = [];
  for (let at = from; at + FRAME_SECONDS <= to; at += HOP_SECONDS) {
    const start = Math.round(at * sampleRate);
    const pitch = framePitch(samples.subarray(start, start + length), sampleRate);
    if (pitch > 0) found.push(pitch);
  }
  found.sort((a, b) => a - b);
  return found[found.length >> 1] ?? Number.NaN;
}

/** Pitch of one frame, 0 where it has none. The shortest period nearly as good as the best one: no octave too low. */
function framePitch(frame: Float32Array, sampleRate: number): number {
  const shortest = Math.floor(sampleRate / HIGHEST);
  const longest = Math.min(frame.length - 1, Math.ceil(sampleRate / LOWEST));
  const likeness: number[] = [];
  for (let lag = shortest; lag <= longest; lag++) {
    let both = 0;
    let here = 1e-9;
    let there = 1e-9;
    for (let i = 0; i + lag < frame.length; i++) {
      const [a, b] = [frame[i] ?? 0, frame[i + lag] ?? 0];
      both += a * b;
      here += a * a;
      there += b * b;
    }
    likeness.push(both / Math.sqrt(here * there));
  }
  const best = Math.max(...likeness);
  if (best < VOICED) return 0;
  const peak = likeness.findIndex(
    (value, i) => value > 0.9 * best && value >= (likeness[i - 1] ?? -1) && value >= (likeness[i + 1] ?? -1),
  );
  return sampleRate / (shortest + Math.max(0, peak));
}

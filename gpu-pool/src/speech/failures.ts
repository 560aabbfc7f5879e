import { type Reading, readingOf } from "./alignment.ts";
import { declip } from "./declip.ts";
import { decibels, windowLevels } from "./energy.ts";

export type SpeechFailure =
  | "too short for the text"
  | "too long for the text"
  | "did not end"
  | "repeated tokens"
  | "silence"
  | "noise"
  | "text not finished"
  | "text repeated"
  | "went on after the text"
  | "the end is cut off"
  | "distorted"
  | "another voice";

/** One chunk as tokens. */
export interface TokenAttempt {
  /** Codes by codebook, then frame. */
  readonly codes: readonly (readonly number[])[];
  readonly alignment: readonly Float32Array[];
  readonly finished: boolean;
  readonly frameRate: number;
  /** From the length of the text. */
  readonly expectedSeconds: number;
}

/**
 * The known ways in which Dia fails that show in its tokens: endless or cut speech, loops, words left out or
 * said twice.
 */
export function tokenFailures(attempt: TokenAttempt): SpeechFailure[] {
  const { codes, frameRate, expectedSeconds } = attempt;
  const failures: SpeechFailure[] = [];
  const seconds = (codes[0]?.length ?? 0) / frameRate;
  if (!attempt.finished) failures.push("did not end");
  if (seconds < 0.45 * expectedSeconds - 0.25) failures.push("too short for the text");
  if (seconds > 1.9 * expectedSeconds + 1.2) failures.push("too long for the text");
  if (longestLoop(codes, Math.round(frameRate / 2)) / frameRate > 1.2) failures.push("repeated tokens");
  if (attempt.alignment.length > 0)
    failures.push(...readingFailures(readingOf(attempt.alignment, frameRate), seconds, expectedSeconds));
  return failures;
}

/** The failures that only the sound shows. */
export function soundFailures(
  samples: Float32Array,
  sampleRate: number,
  expectedSeconds: number,
): SpeechFailure[] {
  const failures: SpeechFailure[] = [];
  const levels = windowLevels(samples, Math.round(sampleRate * 0.02));
  const audible = levels.filter((level) => decibels(level) > -55).length * 0.02;
  if (audible < Math.min(0.25, 0.2 * expectedSeconds)) failures.push("silence");
  if (longestHiss(samples, sampleRate) > 1) failures.push("noise");
  if (failures.length === 0 && endsAloud(levels)) failures.push("the end is cut off");
  if (declip(samples).clipped > 0.01) failures.push("distorted");
  return failures;
}

function readingFailures(
  { reached, back, readAt }: Reading,
  seconds: number,
  expectedSeconds: number,
): SpeechFailure[] {
  const failures: SpeechFailure[] = [];
  if (reached < 0.8) failures.push("text not finished");
  if (back > 0.35) failures.push("text repeated");
  // The last word takes its time; what comes a good while after it is not in the text.
  if (reached >= 0.8 && seconds - readAt > 1.5 + 0.3 * expectedSeconds)
    failures.push("went on after the text");
  return failures;
}

/** Most frames in a row that repeat those of up to `period` frames before: a tone that stands still, or a loop. */
function longestLoop(codes: readonly (readonly number[])[], period: number): number {
  const frames = codes[0]?.length ?? 0;
  let longest = 0;
  for (let back = 1; back <= period; back++) {
    let run = 0;
    for (let f = back; f < frames; f++) {
      run = codes.every((row) => row[f] === row[f - back]) ? run + 1 : 0;
      longest = Math.max(longest, run);
    }
  }
  return longest;
}

/** The last 40 ms are as loud as the loud parts: the sound stops in the middle of a word. */
function endsAloud(levels: Float32Array): boolean {
  const loud = Float32Array.from(levels).sort()[Math.floor(levels.length * 0.9)] ?? 0;
  // The very last window may be a short one.
  return levels.length > 4 && levels.slice(-3, -1).every((level) => level > loud * 10 ** (-6 / 20));
}

/** Seconds of the longest stretch of loud, noise-like sound: it crosses zero far more often than speech does. */
function longestHiss(samples: Float32Array, sampleRate: number): number {
  const window = Math.round(sampleRate * 0.05);
  let run = 0;
  let longest = 0;
  for (let from = 0; from + window <= samples.length; from += window) {
    let crossings = 0;
    let energy = 0;
    for (let i = from + 1; i < from + window; i++) {
      const now = samples[i] ?? 0;
      if (now >= 0 !== (samples[i - 1] ?? 0) >= 0) crossings += 1;
      energy += now * now;
    }
    const hertz = (crossings * sampleRate) / (2 * window);
    const loud = decibels(Math.sqrt(energy / window)) > -40;
    run = loud && hertz > 2800 ? run + 0.05 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

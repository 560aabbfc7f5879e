import { type Reading, readingOf } from "./alignment.ts";
import { decibels, windowLevels } from "./energy.ts";

export type SpeechFailure =
  | "too short for the text"
  | "too long for the text"
  | "did not end"
  | "repeated tokens"
  | "silence"
  | "noise"
  | "text not finished"
  | "text repeated";

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
  if (longestStandstill(codes) / frameRate > 1.2) failures.push("repeated tokens");
  if (attempt.alignment.length > 0)
    failures.push(...readingFailures(readingOf(attempt.alignment, frameRate)));
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
  return failures;
}

function readingFailures({ reached, back }: Reading): SpeechFailure[] {
  const failures: SpeechFailure[] = [];
  if (reached < 0.8) failures.push("text not finished");
  if (back > 0.35) failures.push("text repeated");
  return failures;
}

/** Longest run of frames whose codes are all equal. */
function longestStandstill(codes: readonly (readonly number[])[]): number {
  const frames = codes[0]?.length ?? 0;
  let run = 0;
  let longest = 0;
  for (let f = 1; f < frames; f++) {
    run = codes.every((row) => row[f] === row[f - 1]) ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
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

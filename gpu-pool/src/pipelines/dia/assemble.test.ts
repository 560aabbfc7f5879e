import { expect, test } from "bun:test";
import { uniform } from "../../../test-fixtures/voice/formula-weights.ts";
import { Assembly, joinParts } from "./assemble.ts";
import type { MadeChunk } from "./make-chunk.ts";

const RATE = 16_000;
const FRAMES = 50;

/** A chunk that begins and ends in the middle of a loud vowel: the worst that two chunks can be joined at. */
function vowel(seconds: number, hertz: number): MadeChunk {
  const samples = Float32Array.from(
    { length: Math.round(seconds * RATE) },
    (_, i) =>
      0.5 * Math.cos((2 * Math.PI * hertz * i) / RATE) + 0.2 * Math.cos((2 * Math.PI * 3 * hertz * i) / RATE),
  );
  return { samples, alignment: [], starts: [0], failures: [], retries: 0, attempt: 0, firstFailures: [] };
}

const chunk = (line: number, text = "Hello there.") => ({
  segments: [{ line, character: "temo", voice: 1 as const, text }],
  seconds: 1,
});

/** A click is a jump: the largest second difference of the samples in a stretch. */
function jump(samples: Float32Array, from = 0, to = samples.length): number {
  let most = 0;
  for (let i = Math.max(1, from); i < Math.min(samples.length - 1, to); i++) {
    const bend = (samples[i - 1] ?? 0) - 2 * (samples[i] ?? 0) + (samples[i + 1] ?? 0);
    most = Math.max(most, Math.abs(bend));
  }
  return most;
}

test("chunks are joined without a click, however they begin and end", () => {
  const assembly = new Assembly(RATE, FRAMES);
  const vowels = [vowel(0.81, 131), vowel(0.6, 190), vowel(0.73, 147)];
  const places = vowels.map((made, line) => assembly.add(chunk(Math.floor(line / 2)), made));
  const joined = joinParts(assembly.parts);
  const within = Math.max(...vowels.map(({ samples }) => jump(samples)));
  // Side by side they would click, and be heard.
  const [first, second] = vowels.map(({ samples }) => samples);
  expect(jump(joinParts([first ?? joined, second ?? joined]))).toBeGreaterThan(2 * within);
  for (const { start, samples } of places) {
    for (const joint of [start, start + samples.length / RATE]) {
      const at = Math.round(joint * RATE);
      expect(jump(joined, at - 160, at + 160)).toBeLessThan(1.05 * within);
      expect(Math.abs(joined[at] ?? 0)).toBeLessThan(1e-3);
    }
  }
});

test("a long silence inside is shortened without a click, and the line's end moves with it", () => {
  const one = vowel(0.5, 131).samples;
  const hush = uniform("hush", 2 * RATE).map((u) => (u - 0.5) * 1e-4);
  const assembly = new Assembly(RATE, FRAMES);
  const { samples } = assembly.add(chunk(0), { ...vowel(1, 1), samples: joinParts([one, hush, one]) });
  expect(samples.length / RATE).toBeCloseTo(0.5 + 0.6 + 0.5, 1);
  expect(assembly.segments[0]?.end).toBeCloseTo(samples.length / RATE, 1);
  expect(jump(samples, 0.6 * RATE, 1 * RATE)).toBeLessThan(1e-3);
});

test("pauses are longer between lines than inside a line that was split", () => {
  const assembly = new Assembly(RATE, FRAMES);
  const starts = [0, 0, 1].map((line) => assembly.add(chunk(line), vowel(1, 131)).start);
  const gaps = starts.map((start, i) => start - i);
  expect((gaps[2] ?? 0) - (gaps[1] ?? 0)).toBeGreaterThan((gaps[1] ?? 0) + 0.05);
});

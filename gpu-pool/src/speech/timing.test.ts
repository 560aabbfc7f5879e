import { describe, expect, test } from "bun:test";
import { uniform } from "../../test-fixtures/voice/formula-weights.ts";
import { readingOf, segmentFrames } from "./alignment.ts";
import { chooseHead } from "./choose-head.ts";
import { soundFailures, tokenFailures } from "./failures.ts";
import { mouthLines, mouthTrack } from "./mouth.ts";
import { segmentSpans } from "./spans.ts";
import { tidySilence, withoutStrayEnd } from "./tidy.ts";
import { assignSpeakers } from "./voices.ts";

const RATE = 16_000;

/** Tone bursts `[from, to]` in seconds over a quiet floor. */
function bursts(seconds: number, ...spans: [number, number][]): Float32Array {
  const floor = uniform("floor", Math.round(seconds * RATE));
  return floor.map((u, i) => {
    const t = i / RATE;
    const on = spans.some(([from, to]) => t >= from && t < to);
    return (u - 0.5) * 0.0004 + (on ? 0.3 * Math.sin(2 * Math.PI * 200 * t) : 0);
  });
}

/** Attention of `frames` that walks through `length` bytes, blurred over neighbours. */
function walk(frames: number, length: number, path = (x: number) => x): Float32Array[] {
  return Array.from({ length: frames }, (_, f) => {
    const at = path(f / frames) * length;
    const weights = Float32Array.from({ length }, (_, i) => Math.exp(-0.5 * ((i - at) / 2) ** 2) + 1e-4);
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / sum);
  });
}

describe("reading the attention", () => {
  test("segments begin where the attention reaches their tags", () => {
    const frames = segmentFrames(walk(200, 50), [0, 20, 35]);
    expect(frames[0]).toBe(0);
    expect(Math.abs((frames[1] ?? 0) - 80)).toBeLessThan(5);
    expect(Math.abs((frames[2] ?? 0) - 140)).toBeLessThan(5);
  });

  test("a moment of distraction does not move a border", () => {
    const weights = walk(200, 50, (x) => (x > 0.1 && x < 0.13 ? 0.9 : x));
    expect(Math.abs((segmentFrames(weights, [0, 25])[1] ?? 0) - 100)).toBeLessThan(6);
  });

  test("how far the speech got, and whether it went back", () => {
    expect(readingOf(walk(200, 50), 50).reached).toBeGreaterThan(0.95);
    expect(
      readingOf(
        walk(200, 50, (x) => x * 0.6),
        50,
      ).reached,
    ).toBeLessThan(0.7);
    expect(readingOf(walk(200, 50), 50).back).toBeLessThan(0.05);
    expect(
      readingOf(
        walk(200, 50, (x) => (x < 0.5 ? 2 * x : 2 * x - 1)),
        50,
      ).back,
    ).toBeGreaterThan(0.6);
  });
});

test("the head that follows the text is found among others", () => {
  const track = (f: (x: number, i: number) => number) =>
    Float32Array.from({ length: 100 }, (_, i) => f(i / 100, i));
  const heads = [
    track(() => 25),
    track((x) => 50 * (1 - x)),
    track((_, i) => (i * 37) % 50),
    track((x, i) => 50 * x + (i % 3)),
    track((x) => 20 + 5 * x),
  ];
  expect(chooseHead(heads, 50)?.head).toBe(3);
  expect(chooseHead(heads, 50)?.score).toBeGreaterThan(0.95);
  expect(chooseHead(heads.slice(0, 3), 50)?.score ?? 0).toBeLessThan(0.3);
  expect(chooseHead([], 50)).toBeNull();
});

describe("spans of the lines", () => {
  test("borders move into the pause nearby, spans are what is heard", () => {
    const sound = bursts(4, [0.3, 1.6], [1.9, 3.4]);
    const [first, second] = segmentSpans(sound, RATE, [0, 1.65], 0.3);
    expect(first?.start).toBeCloseTo(0.3, 1);
    expect(first?.end).toBeCloseTo(1.6, 1);
    expect(second?.start).toBeCloseTo(1.9, 1);
    expect(second?.end).toBeCloseTo(3.4, 1);
  });

  test("silence is cut at the ends, shortened inside, and times follow", () => {
    const sound = bursts(8, [1, 2], [5, 6]);
    const { samples, moved } = tidySilence(sound, RATE, {
      leadSeconds: 0.05,
      tailSeconds: 0.1,
      pauseSeconds: 0.5,
    });
    expect(samples.length / RATE).toBeCloseTo(0.05 + 1 + 0.5 + 1 + 0.1, 1);
    expect(moved(1)).toBeCloseTo(0.05, 1);
    expect(moved(5)).toBeCloseTo(1.55, 1);
    expect(moved(8)).toBeCloseTo(samples.length / RATE, 1);
    expect(
      tidySilence(new Float32Array(RATE), RATE, { leadSeconds: 0, tailSeconds: 0, pauseSeconds: 1 }).samples,
    ).toHaveLength(0);
  });

  test("a burst after the last word is cut, a word that ends is not", () => {
    const word = bursts(2, [0.2, 1.5]);
    expect(withoutStrayEnd(word, RATE)).toBe(word);
    const burst = bursts(2, [0.2, 1.5], [1.9, 2]);
    const kept = withoutStrayEnd(burst, RATE).length / RATE;
    expect(kept).toBeWithin(1.85, 1.91);
    // The release of a "t" dies away before the end.
    const released = bursts(2, [0.2, 1.5], [1.6, 1.65]);
    expect(withoutStrayEnd(released, RATE)).toBe(released);
    const silence = bursts(1);
    expect(withoutStrayEnd(silence, RATE).length).toBeGreaterThan(0);
  });

  test("mouths open with the sound", () => {
    const levels = mouthTrack(bursts(2, [0.5, 1.5]), RATE);
    expect(levels).toHaveLength(50);
    expect(levels[5]).toBe(0);
    expect(levels[25]).toBeGreaterThan(0.9);
  });

  test("each line has its mouth in the frames of the clip", () => {
    const levels = mouthTrack(bursts(4, [0.5, 1.5], [2, 3.1]), RATE);
    const line = (character: string, start: number, end: number) => ({
      speaker: "S1",
      character,
      start,
      end,
    });
    const lines = mouthLines({ rate: 25, levels }, [line("temo", 0.5, 1.5), line("felfel", 2, 3.1)], 8);
    expect(lines.map(({ character, frame, levels }) => [character, frame, levels.length])).toEqual([
      ["temo", 4, 8],
      ["felfel", 16, 9],
    ]);
    for (const level of lines.flatMap(({ levels }) => levels)) expect(level).toBeGreaterThan(0.9);
    expect(mouthLines({ rate: 25, levels }, [line("temo", 1.55, 1.7)], 24)[0]?.levels).toEqual([0, 0, 0, 0]);
  });
});

describe("failures", () => {
  const good = {
    codes: [
      Array.from({ length: 200 }, (_, i) => i % 50),
      Array.from({ length: 200 }, (_, i) => (i * 7) % 50),
    ],
    alignment: walk(200, 50),
    finished: true,
    frameRate: 50,
    expectedSeconds: 4,
  };

  test("a good chunk has none", () => {
    expect(tokenFailures(good)).toEqual([]);
    expect(soundFailures(bursts(4, [0.2, 3.8]), RATE, 4)).toEqual([]);
  });

  test("each of the known ones is named", () => {
    expect(tokenFailures({ ...good, finished: false })).toEqual(["did not end"]);
    expect(tokenFailures({ ...good, expectedSeconds: 12 })).toEqual(["too short for the text"]);
    expect(tokenFailures({ ...good, expectedSeconds: 1 })).toEqual(["too long for the text"]);
    const stuck = good.codes.map((row) => row.map((code, i) => (i > 50 && i < 150 ? 3 : code)));
    expect(tokenFailures({ ...good, codes: stuck })).toEqual(["repeated tokens"]);
    expect(tokenFailures({ ...good, alignment: walk(200, 50, (x) => x * 0.5) })).toEqual([
      "text not finished",
    ]);
    const loop = good.codes.map((row) => row.map((code, i) => (i > 50 && i < 150 ? i % 11 : code)));
    expect(tokenFailures({ ...good, codes: loop })).toEqual(["repeated tokens"]);
    const twice = walk(200, 50, (x) => (x < 0.5 ? 2 * x : 2 * x - 1));
    expect(tokenFailures({ ...good, alignment: twice })).toEqual(["text repeated"]);
    const early = walk(200, 50, (x) => Math.min(1, x * 4));
    expect(tokenFailures({ ...good, expectedSeconds: 2.2, alignment: early })).toEqual([
      "went on after the text",
    ]);
    expect(soundFailures(bursts(4), RATE, 4)).toEqual(["silence"]);
    expect(soundFailures(bursts(4, [0.2, 4]), RATE, 4)).toEqual(["the end is cut off"]);
    const hard = bursts(4, [0.2, 3.8]).map((x) => Math.max(-1, Math.min(1, 8 * x)));
    expect(soundFailures(hard, RATE, 4)).toEqual(["distorted"]);
    const hiss = uniform("hiss", 4 * RATE).map((u) => (u - 0.5) * 0.5);
    expect(soundFailures(hiss, RATE, 4)).toEqual(["noise"]);
  });
});

describe("speakers", () => {
  const map = {
    characters: [
      { name: "temo", speaker: "S1" },
      { name: "felfel", speaker: "S2" },
      { name: "zed", speaker: "S2" },
    ],
    speakers: { S1: "temo", S2: "felfel" },
    cast: [] as string[],
  };
  const assign = (speaker: string, cast: string[] = []) => assignSpeakers([{ speaker }], { ...map, cast })[0];

  test("names, tags and casts", () => {
    expect(assign("felfel")).toEqual({ character: "felfel", voice: 2 });
    expect(assign("zed")).toEqual({ character: "zed", voice: 2 });
    expect(assign("S1")).toEqual({ character: "temo", voice: 1 });
    expect(assign("S1", ["felfel"])).toEqual({ character: "felfel", voice: 2 });
    expect(assign("S3", ["temo", "felfel", "zed"])).toEqual({ character: "zed", voice: 2 });
    expect(assignSpeakers([{ speaker: "S2" }], { characters: [], speakers: {}, cast: [] })[0]).toEqual({
      character: null,
      voice: 2,
    });
  });

  test("unknown ones are refused with their place", () => {
    expect(() => assign("bob")).toThrow(
      'speech.lines[0].speaker: "bob" is unknown; known: temo, felfel, zed, S1, S2',
    );
    expect(() => assign("S3")).toThrow("S3");
  });
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type PlanLimits, type PlanLine, planChunks, splitText } from "./plan.ts";

const limits: PlanLimits = {
  minSeconds: 2,
  maxSeconds: 6,
  charactersPerSecond: 14,
  maxWords: 32,
  maxBytes: 400,
  sharedVoices: true,
};
const line = (text: string, character = "temo", voice: 1 | 2 = 1): PlanLine => ({ text, character, voice });
const texts = (lines: PlanLine[], own = limits) =>
  planChunks(lines, own).map(({ segments }) => segments.map(({ voice, text }) => `${voice}:${text}`));

describe("chunks", () => {
  test("short lines go together in order", () => {
    const lines = [line("Hi there."), line("Hello.", "felfel", 2), line("How are you?")];
    expect(texts(lines)).toEqual([["1:Hi there.", "2:Hello.", "1:How are you?"]]);
  });

  test("a long line is split at the ends of its sentences, the tag comes again", () => {
    const sentence = "This is a sentence of some forty letters.";
    const chunks = planChunks([line(Array.from({ length: 5 }, () => sentence).join(" "))], limits);
    expect(chunks.map(({ segments }) => segments.map(({ text }) => text))).toEqual([
      [`${sentence} ${sentence}`],
      [`${sentence} ${sentence}`],
      [sentence],
    ]);
    expect(
      chunks.every(({ segments }) => segments.every(({ line, voice }) => line === 0 && voice === 1)),
    ).toBe(true);
  });

  test("without sentences it is split at commas, then between words", () => {
    expect(splitText(`${"word ".repeat(10).trim()}, ${"more ".repeat(10).trim()}`, limits)).toHaveLength(2);
    const pieces = splitText("word ".repeat(60).trim(), limits);
    expect(pieces.join(" ")).toBe("word ".repeat(60).trim());
    expect(Math.max(...pieces.map((p) => p.length))).toBeLessThanOrEqual(84);
  });

  test("a last chunk that is too short takes a segment from the one before", () => {
    const lines = [line("a".repeat(40)), line("b".repeat(38)), line("Bye.")];
    const chunks = planChunks(lines, { ...limits, maxWords: undefined });
    expect(chunks.map(({ segments }) => segments.length)).toEqual([1, 2]);
  });

  test("a model that speaks one line at a time gets one line at a time", () => {
    const lines = [line("Hi there."), line("Hello.", "felfel", 2)];
    expect(texts(lines, { ...limits, maxLines: 1 })).toEqual([["1:Hi there."], ["2:Hello."]]);
  });

  test("no more turns in one go than a model speaks well, unless it would be too short", () => {
    const turns = (text: string) =>
      Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? line(text) : line(text, "felfel", 2)));
    const own = { ...limits, maxSeconds: 20, maxWords: undefined, maxTurns: 4 };
    const sizes = (lines: PlanLine[]) => planChunks(lines, own).map(({ segments }) => segments.length);
    expect(sizes(turns("This one is long enough."))).toEqual([2, 4, 4]);
    expect(sizes(turns("Oh.").slice(0, 6))).toEqual([6]);
    expect(sizes(Array.from({ length: 10 }, () => line("This one is long enough.")))).toEqual([2, 8]);
  });

  test("the first one ends as soon as it is long enough, so that it can soon be heard", () => {
    const lines = Array.from({ length: 8 }, () => line("Not very long."));
    const [first, ...others] = planChunks(lines, { ...limits, maxSeconds: 20 });
    expect(first?.segments).toHaveLength(2);
    expect(first?.seconds).toBeGreaterThanOrEqual(limits.minSeconds);
    expect(others.map(({ segments }) => segments.length)).toEqual([6]);
  });

  test("a third character gets the free voice, or a chunk of its own", () => {
    const own = { ...limits, sharedVoices: false };
    const lines = [line("One."), line("Two.", "zed"), line("Three.", "felfel", 2), line("Four.")];
    expect(texts(lines, own)).toEqual([
      ["1:One.", "2:Two."],
      ["2:Three.", "1:Four."],
    ]);
    expect(texts(lines)).toEqual([["1:One.", "1:Two.", "2:Three.", "1:Four."]]);
  });

  test("nothing is lost, nothing is too long, whatever the text", () => {
    const word = fc.string({
      unit: fc.constantFrom("a", "b", "c", ".", ",", "!", "?", "é"),
      minLength: 1,
      maxLength: 120,
    });
    const text = fc.array(word, { minLength: 1, maxLength: 60 }).map((words) => words.join(" "));
    const script = fc.array(fc.tuple(text, fc.boolean()), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(script, (lines) => {
        const given = lines.map(([t, first]) => line(t, first ? "temo" : "felfel", first ? 1 : 2));
        const chunks = planChunks(given, limits);
        const said = chunks
          .flatMap(({ segments }) => segments.map((s) => s.text))
          .join("")
          .replaceAll(" ", "");
        expect(said).toBe(
          given
            .map((l) => l.text)
            .join("")
            .replaceAll(" ", ""),
        );
        for (const { seconds, segments } of chunks) {
          expect(seconds).toBeLessThanOrEqual(limits.maxSeconds + 1e-9);
          expect(segments.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 150 },
    );
  });
});

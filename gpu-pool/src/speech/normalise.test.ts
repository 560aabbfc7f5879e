import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeText } from "./encode-text.ts";
import fixture from "./fixtures/normalise.json";
import { normaliseLine } from "./normalise.ts";

test("every line of the training side's fixture", () => {
  for (const { input, output } of fixture.lines)
    expect([input, normaliseLine(input)]).toEqual([input, output]);
});

test("every chunk of the fixture becomes the same bytes", () => {
  for (const chunk of fixture.chunks) {
    const segments = chunk.lines.map(({ speaker, text }) => ({
      voice: speaker === 1 ? (1 as const) : (2 as const),
      text: normaliseLine(text),
    }));
    expect([...encodeText(segments, { spaces: { base: 128, count: 32 } }).ids]).toEqual(chunk.ids);
  }
});

test("any text ends up in the model's alphabet, and settles there", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" })), (text) => {
      const plain = normaliseLine(text);
      expect(plain).toMatch(/^$|^[a-z'][a-z' .,!?]*[.!?]$/);
      expect(plain).not.toMatch(/ {2}|^ | $/);
      // The dot that ends a line may make an abbreviation of its last word: "mr" is "mr.", then "mister.".
      const settled = normaliseLine(plain);
      expect(normaliseLine(settled)).toBe(settled);
    }),
    { numRuns: 500 },
  );
});

test("text of a model without its own rules is sent as it is", () => {
  const { ids, starts } = encodeText([
    { voice: 1, text: "Hé." },
    { voice: 2, text: "A b" },
  ]);
  expect([...ids]).toEqual([1, 0x20, 0x48, 0xc3, 0xa9, 0x2e, 0x20, 2, 0x20, 0x41, 0x20, 0x62]);
  expect(starts).toEqual([0, 7]);
});

test("a model that wants speakers to alternate gets a tag only where the voice changes", () => {
  const segments = [
    { voice: 1, text: "Ab." },
    { voice: 1, text: "C." },
    { voice: 2, text: "D." },
  ] as const;
  const { ids, starts } = encodeText(segments, { alternating: true });
  expect(new TextDecoder().decode(ids)).toBe("\u0001 Ab. C. \u0002 D.");
  expect(starts).toEqual([0, 6, 9]);
});

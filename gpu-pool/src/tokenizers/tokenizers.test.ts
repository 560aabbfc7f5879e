import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import goldens from "../../test-fixtures/pipeline/prompts.json";
import { ClipTokenizer, MAX_CHUNKS, parsePromptWeights, promptChunks, wordsCut } from "./index.ts";

const FOLDER = join(import.meta.dir, "../../test-fixtures/pipeline/tokenizer");
let tokenizer: ClipTokenizer;
beforeAll(async () => {
  tokenizer = await ClipTokenizer.load(FOLDER, 77);
});

const plain = (text: string) => [{ text, weight: 1 }];

describe("the CLIP tokenizer", () => {
  for (const [prompt, ids] of goldens as [string, number[]][])
    test(`gives the reference ids for ${JSON.stringify(prompt)}`, () =>
      expect(tokenizer.words(prompt)).toEqual(ids));

  test("drops control tokens that a prompt spells out", () => {
    expect(tokenizer.words("temo<|endoftext|><|startoftext|>felfel")).toEqual([
      ...tokenizer.words("temo"),
      ...tokenizer.words("felfel"),
    ]);
  });

  test("takes any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        for (const id of tokenizer.words(text)) expect(id >= 0 && id < 598).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("reads the older vocab.json and merges.txt alike, with a pad token of its own", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cartoon-tokenizer-"));
    const { model } = await Bun.file(join(FOLDER, "tokenizer.json")).json();
    await writeFile(join(folder, "vocab.json"), JSON.stringify(model.vocab));
    const lines = model.merges.map((pair: string | string[]) =>
      typeof pair === "string" ? pair : pair.join(" "),
    );
    await writeFile(join(folder, "merges.txt"), ["#version: 0.2", ...lines, ""].join("\n"));
    await writeFile(
      join(folder, "tokenizer_config.json"),
      JSON.stringify({ pad_token: "!", model_max_length: 77 }),
    );
    const older = await ClipTokenizer.load(folder, 24);
    expect(older.padId).toBe(model.vocab["!"]);
    expect(older.maxLength).toBe(24);
    for (const [prompt, ids] of goldens as [string, number[]][]) expect(older.words(prompt)).toEqual(ids);
  });

  test("says what is wrong with its files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cartoon-tokenizer-"));
    await expect(ClipTokenizer.load(folder, 77)).rejects.toThrow(/tokenizer_config.json/);
    await writeFile(join(folder, "tokenizer_config.json"), "{}");
    await expect(ClipTokenizer.load(folder, 77)).rejects.toThrow(/tokenizer.json/);
    await writeFile(join(folder, "tokenizer.json"), '{"model":{"type":"Unigram","vocab":{}}}');
    await expect(ClipTokenizer.load(folder, 77)).rejects.toThrow(/model.type/);
  });
});

describe("prompt chunks", () => {
  test("a short prompt is one pass with the padding of the tokenizer's config", () => {
    const [chunk, ...more] = promptChunks(tokenizer, plain("temo"));
    expect(more).toEqual([]);
    const words = tokenizer.words("temo");
    expect(chunk?.ids).toEqual([598, ...words, 599, ...Array(22 - words.length).fill(599)]);
  });

  test("a long prompt goes on in further passes, each with its own BOS and EOS", () => {
    const chunks = promptChunks(tokenizer, plain("moon base ".repeat(20)));
    expect(chunks.length).toBe(2);
    for (const { ids, weights } of chunks) {
      expect(ids.length).toBe(24);
      expect(weights.length).toBe(24);
      expect(ids[0]).toBe(598);
    }
    expect(chunks[0]?.ids[23]).toBe(599);
  });

  test("a prompt without end is cut and the cut is counted", () => {
    const parts = plain("moon ".repeat(1000));
    expect(promptChunks(tokenizer, parts).length).toBe(MAX_CHUNKS);
    expect(wordsCut(tokenizer, parts)).toBe(1000 - MAX_CHUNKS * 22);
    expect(wordsCut(tokenizer, plain("moon"))).toBe(0);
  });
});

describe("prompt weights", () => {
  const rounded = (prompt: string) =>
    parsePromptWeights(prompt).map(({ text, weight }) => [text.trim(), Math.round(weight * 1e4) / 1e4]);

  test("brackets, explicit weights, nesting and escapes", () => {
    expect(rounded("a (b:1.3) [c] ((d)) e")).toEqual([
      ["a", 1],
      ["b", 1.3],
      ["c", 0.9091],
      ["d", 1.21],
      ["e", 1],
    ]);
    expect(rounded("(f (g:2) h)")).toEqual([
      ["f", 1.1],
      ["g", 2.2],
      ["h", 1.1],
    ]);
    expect(rounded("\\(plain\\) text")).toEqual([["(plain) text", 1]]);
    expect(rounded("(open to the end")).toEqual([["open to the end", 1.1]]);
    expect(rounded("a) b] (c]")).toEqual([
      ["a) b]", 1],
      ["c]", 1.1],
    ]);
    expect(rounded("time 12:30 (x:y)")).toEqual([
      ["time 12:30", 1],
      ["x:y", 1.1],
    ]);
  });

  test("any text gives finite weights from 0 to 4 and loses no words", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("(", ")", "[", "]", ":", "1", ".", "a", " ", "\\", "-") }),
        (prompt) => {
          const parts = parsePromptWeights(prompt);
          for (const { weight } of parts) expect(weight >= 0 && weight <= 4).toBe(true);
          const letters = (text: string) => text.replace(/[^a]/g, "").length;
          expect(letters(parts.map((part) => part.text).join(""))).toBe(letters(prompt));
        },
      ),
    );
    expect(parsePromptWeights(`${"(".repeat(2000)}x`)[0]?.weight).toBe(4);
  });
});

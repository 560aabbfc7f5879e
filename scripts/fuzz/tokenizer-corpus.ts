import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/root.ts";

const MIB = 1024 * 1024;
const encode = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const read = (name: string) =>
  new Uint8Array(readFileSync(join(root, "gpu-pool/packs/toon/tokenizer", name)));

/** `tokenizer_config.json`; the file under test lies beside it. */
export const CONFIG = read("tokenizer_config.json");
const whole = JSON.parse(Buffer.from(read("tokenizer.json")).toString());
const { model } = whole;
const changed = (change: object) => encode({ ...whole, ...change });
const withModel = (change: object) => changed({ model: { ...model, ...change } });

/** A small one, so that mutations meet what matters. */
const small = (() => {
  const words = [
    "!",
    "a",
    "t",
    "e",
    "m",
    "o",
    "a</w>",
    "o</w>",
    "te",
    "mo</w>",
    "<|startoftext|>",
    "<|endoftext|>",
  ];
  const vocab = Object.fromEntries(words.map((word, id) => [word, id]));
  const added = whole.added_tokens.map((token: { content: string }) => ({
    ...token,
    id: vocab[token.content],
  }));
  return encode({
    ...whole,
    added_tokens: added,
    model: {
      ...model,
      vocab,
      merges: [
        ["t", "e"],
        ["m", "o</w>"],
      ],
    },
  });
})();

export const GOOD_TOKENIZERS: readonly Uint8Array[] = [small, read("tokenizer.json")];

export const HOSTILE_TOKENIZERS: Readonly<Record<string, Uint8Array>> = {
  empty: new Uint8Array(0),
  "not JSON": encode("{nope"),
  null: encode("null"),
  "no model": encode({}),
  "no vocabulary": withModel({ vocab: undefined }),
  "a vocabulary of lists": withModel({ vocab: [["a", 1]] }),
  "ids that are no numbers": withModel({ vocab: { a: "1" } }),
  "ids that are too large": withModel({ vocab: { ...model.vocab, huge: 2 ** 53 } }),
  "negative ids": withModel({ vocab: { a: -1 } }),
  "another kind of model": withModel({ type: "Unigram" }),
  "merges of nothing": withModel({ merges: [[], [""], ["a"]] }),
  "merges that are numbers": withModel({ merges: [1, 2, 3] }),
  "merges of words that are not there": withModel({ merges: [["zzz", "yyy"]] }),
  "no special tokens": changed({ added_tokens: [] }),
  "special tokens without content": changed({ added_tokens: [{ id: 1 }, null, 7] }),
  "an unknown normalizer": changed({ normalizer: { type: "Nope" } }),
  "a normalizer that is nested in itself": changed({
    normalizer: JSON.parse(`${'{"type":"Sequence","normalizers":['.repeat(6)}${"]}".repeat(6)}`),
  }),
  "a pattern that is no pattern": changed({
    pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Removed", invert: true },
  }),
  "a pattern that takes for ever": changed({
    pre_tokenizer: { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Removed", invert: true },
  }),
  "8 MB of brackets": encode("[".repeat(8 * MIB)),
  "7 MB of vocabulary": encode(`{"model":{"vocab":{${'"w":1,'.repeat((7 * MIB) / 6)}"x":2},"merges":[]}}`),
  "more than 8 MB": encode(`"${"x".repeat(9 * MIB)}"`),
  "__proto__ as a word": encode(
    `{"model":{"type":"BPE","vocab":{"__proto__":1,"constructor":2},"merges":[]}}`,
  ),
};

export const HOSTILE_PROMPTS: readonly string[] = [
  "",
  "\u0000\u0001\u001b[31m",
  "\ud800 lone surrogate",
  "\u202Etfel ot thgir",
  "Z̸͕͒a".repeat(500),
  "(".repeat(5_000),
  "(((temo:1.5):2):-1)".repeat(200),
  "[[[(((".repeat(1_000),
  "<|endoftext|>".repeat(300),
  "'s't're've'm'll'd".repeat(500),
  "💥".repeat(2_000),
  "a".repeat(20_000),
  "temo, ".repeat(4_000),
  "(temo:1e309) (felfel:-0) (x:NaN)",
];

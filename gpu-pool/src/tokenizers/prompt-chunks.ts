import type { ClipTokenizer } from "./clip-tokenizer.ts";
import type { WeightedText } from "./prompt-weights.ts";

/** One text encoder pass: `[BOS] words [EOS] pad…`, with a weight for every position. */
export interface PromptChunk {
  ids: number[];
  /** 1 for BOS, EOS and padding. */
  weights: number[];
}

/** A prompt may fill at most this many passes; the rest is cut. */
export const MAX_CHUNKS = 8;

/**
 * Splits a prompt into passes of the text encoder. A prompt that fits gives the one pass that the model's own
 * tokenizer would give; an empty one gives one pass without words.
 */
export function promptChunks(tokenizer: ClipTokenizer, parts: readonly WeightedText[]): PromptChunk[] {
  const room = tokenizer.maxLength - 2;
  const words = parts.flatMap(({ text, weight }) => tokenizer.words(text).map((id) => ({ id, weight })));
  const chunks: PromptChunk[] = [];
  for (let start = 0; start === 0 || (start < words.length && chunks.length < MAX_CHUNKS); start += room)
    chunks.push(chunk(tokenizer, words.slice(start, start + room)));
  return chunks;
}

/** Words of a prompt that do not fit into {@link MAX_CHUNKS} passes. */
export function wordsCut(tokenizer: ClipTokenizer, parts: readonly WeightedText[]): number {
  const count = parts.reduce((sum, { text }) => sum + tokenizer.words(text).length, 0);
  return Math.max(0, count - MAX_CHUNKS * (tokenizer.maxLength - 2));
}

function chunk(tokenizer: ClipTokenizer, words: readonly { id: number; weight: number }[]): PromptChunk {
  const padding = tokenizer.maxLength - 2 - words.length;
  return {
    ids: [
      tokenizer.bosId,
      ...words.map((word) => word.id),
      tokenizer.eosId,
      ...Array(padding).fill(tokenizer.padId),
    ],
    weights: [1, ...words.map((word) => word.weight), 1, ...Array(padding).fill(1)],
  };
}

import { floatOutput } from "../../onnx/session.ts";
import { chooseHead } from "../../speech/choose-head.ts";
import { promptRows } from "./delay-pattern.ts";
import { encodeTexts } from "./encode-texts.ts";
import type { Generation, GenerationRequest } from "./generate.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import type { DiaModel } from "./model.ts";
import { headFeeds, promptRun } from "./prompt-run.ts";

/** A head that follows the text worse than this is not believed. */
const MIN_SCORE = 0.75;

/**
 * Attention of each frame to each byte of the text, for a model without a known alignment head: all rows go
 * through the decoder once, the head that reads the text best is chosen, and its attention is read.
 * @param from first byte of the text that was generated for (the transcript of a voice prompt comes before)
 * @returns as many rows as `generation.rows`; none when no head follows the text
 */
export async function readAttention(
  model: DiaModel,
  request: GenerationRequest,
  generation: Generation,
  from: number,
  choose = chooseHead,
): Promise<Float32Array[]> {
  const { num_hidden_layers: layers, cross_num_attention_heads: heads } = model.config.decoder;
  const rows = [...promptRows(model.config, request.prompt ?? []), ...generation.rows];
  const first = generation.firstRow - 1;
  const count = generation.rows.length;
  const length = request.text.length;
  const text = await encodeTexts(model, [request]);
  const past = new KeyValueCache(model, 1, true).feeds;
  const feeds = promptRun(model, rows, { past, text: text.feeds });
  const read = (weights?: Float32Array) => model.decoder.run({ ...feeds, ...headFeeds(model, weights) });
  // The row that is fed reads what the next row says.
  const positions = floatOutput(await read(), "reading_positions");
  const tracks = Array.from({ length: layers * heads }, (_, head) => {
    const start = head * (rows.length - 1) + first;
    return positions.slice(start, start + count);
  });
  const choice = choose(tracks, length - from);
  if (!choice || choice.score < MIN_SCORE) return [];
  const only = new Float32Array(layers * heads);
  only[choice.head] = 1;
  const attention = floatOutput(await read(only), "reading_attention");
  return Array.from({ length: count }, (_, i) =>
    attention.slice((first + i) * length, (first + i + 1) * length),
  );
}

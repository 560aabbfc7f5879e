import { float32, floatOutput, int64 } from "../../onnx/session.ts";
import { chooseHead } from "../../speech/choose-head.ts";
import { promptRows } from "./delay-pattern.ts";
import { encodeTexts } from "./encode-texts.ts";
import type { Generation, GenerationRequest } from "./generate.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import type { DiaModel } from "./model.ts";

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
  const read = async (headWeights: Float32Array) => {
    const cache = new KeyValueCache(model, 1, true);
    const channels = model.config.decoder.num_channels;
    return model.decoder.run({
      n: int64([0], []),
      prompt: int64(rows.slice(0, -1).flat(), [1, rows.length - 1, channels]),
      tok: int64(rows.at(-1) ?? [], [1, channels]),
      ending: int64([-1], [1]),
      ...cache.feeds,
      ...text.feeds,
      forced: int64([], [0, 1, channels]),
      gumbel: float32(new Float32Array(0), [0, 1, channels, 1]),
      params: float32(Float32Array.of(0, 1, 1), [3, 1]),
      head_weights: float32(headWeights, [layers, heads]),
    });
  };
  // The row that is fed reads what the next row says.
  const positions = floatOutput(await read(new Float32Array(layers * heads)), "reading_positions");
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

import { type Feeds, float32, int64 } from "../../onnx/session.ts";
import type { Codes } from "./delay-pattern.ts";
import type { DiaModel } from "./model.ts";

/**
 * Feeds of a decoder run in which one dialogue's rows are read and no frame is made.
 * @param rows tokens of all of them, BOS first
 * @param past keys and values of what came before: none
 * @param text what the text encoder gave for the dialogue
 */
export function promptRun(
  { config }: DiaModel,
  rows: Codes,
  { past, text }: { readonly past: Feeds; readonly text: Feeds | undefined },
): Feeds {
  const { num_channels: channels } = config.decoder;
  return {
    n: int64([0], []),
    prompt: int64(rows.slice(0, -1).flat(), [1, rows.length - 1, channels]),
    tok: int64(rows.at(-1) ?? [], [1, channels]),
    ending: int64([-1], [1]),
    ...past,
    ...text,
    forced: int64([], [0, 1, channels]),
    gumbel: float32(new Float32Array(0), [0, 1, channels, 1]),
    params: float32(Float32Array.of(0, 1, 1), [3, 1]),
  };
}

/**
 * Which attention heads a run reads; only a decoder without a known alignment head has that input.
 * @param weights of all layers' heads; default: none is read
 */
export function headFeeds(model: DiaModel, weights?: Float32Array): Feeds {
  if (!model.readsPrompt) return {};
  const { num_hidden_layers: layers, cross_num_attention_heads: heads } = model.config.decoder;
  return { head_weights: float32(weights ?? new Float32Array(layers * heads), [layers, heads]) };
}

import { float32, int64, type TensorValue } from "../../onnx/session.ts";
import type { GenerationRequest } from "./generate.ts";
import type { DiaModel } from "./model.ts";

export interface EncodedTexts {
  /** Bytes of the longest text. */
  readonly length: number;
  readonly feeds: Record<string, TensorValue>;
  /** The feeds of each dialogue by itself, where they were made one by one. */
  readonly alone?: readonly Record<string, TensorValue>[];
}

/** The texts of several dialogues, each encoded by itself. */
async function encodeApart(model: DiaModel, requests: readonly GenerationRequest[]): Promise<EncodedTexts> {
  const each: EncodedTexts[] = [];
  for (const request of requests) each.push(await encodeTexts(model, [request]));
  const length = Math.max(...each.map((text) => text.length));
  const mask = new Float32Array(2 * each.length * length);
  for (const [b, text] of each.entries())
    for (const row of [b, b + each.length]) mask.fill(1, row * length, row * length + text.length);
  // The operator has the texts from then on when each dialogue was opened.
  const width = model.config.decoder.cross_hidden_size;
  const nothing = new Uint16Array(2 * each.length * width);
  const feeds: Record<string, TensorValue> = {
    mask: float32(mask, [2 * each.length, length]),
    encoder_hidden: { dtype: "float16", data: nothing, shape: [2 * each.length, 1, width] },
  };
  return { length, feeds, alone: each.map((text) => text.feeds) };
}

/** Runs the text encoder for all dialogues: conditional rows first, then as many of zeros. */
export async function encodeTexts(
  model: DiaModel,
  requests: readonly GenerationRequest[],
): Promise<EncodedTexts> {
  if (model.nativeLoop && model.target.cross === "projected" && requests.length > 1)
    return encodeApart(model, requests);
  const length = Math.max(...requests.map(({ text }) => text.length));
  const { max_position_embeddings: longest } = model.config.encoder;
  if (length > longest)
    throw new Error(`the text of a chunk has ${length} bytes; the model reads ${longest}`);
  const rowCount = 2 * requests.length;
  const ids = new Uint8Array(rowCount * length);
  const mask = new Float32Array(rowCount * length);
  for (const [b, { text }] of requests.entries()) {
    ids.set(text, b * length);
    for (const row of [b, b + requests.length]) mask.fill(1, row * length, row * length + text.length);
  }
  const maskValue = float32(mask, [rowCount, length]);
  const encoded = await model.encoder.run({ input_ids: int64(ids, [rowCount, length]), mask: maskValue });
  const names = model.target.cross === "fed" ? ["cross_k", "cross_v"] : ["encoder_hidden"];
  const feeds: Record<string, TensorValue> = { mask: maskValue };
  for (const name of names) {
    const value = encoded[name];
    if (!value) throw new Error(`the text encoder gave no "${name}"`);
    feeds[name] = value;
  }
  return { length, feeds };
}

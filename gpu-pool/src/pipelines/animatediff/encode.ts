import type { Warning } from "@cartoon/protos";
import { joinAdapters, type LoraComponent, type WeightedAdapter } from "../../lora/index.ts";
import { type PromptChunk, parsePromptWeights, promptChunks, wordsCut } from "../../tokenizers/index.ts";
import type { PictureModels, TextModel } from "./models.ts";
import type { ResolvedClip } from "./settings.ts";

/** A prompt as the UNet reads it. */
export interface Conditioning {
  /** [tokens, features] */
  context: Float32Array;
  tokens: number;
  /** [features]; empty for families without pooled text. */
  pooled: Float32Array;
}

export interface EncodedPrompts {
  /** The prompt from each key frame on, in order; the first is at frame 0. */
  positive: { frame: number; conditioning: Conditioning }[];
  negative: Conditioning;
  warnings: Warning[];
}

const COMPONENTS: readonly LoraComponent[] = ["text_encoder", "text_encoder_2"];

/**
 * Encodes every prompt of a clip. All come out with the same number of tokens, so that they can share a batch.
 * A negative prompt that was left out is zeros where the model asks for it; an empty one is encoded.
 */
export async function encodePrompts(
  models: PictureModels,
  clip: ResolvedClip,
  adapters: readonly WeightedAdapter[],
): Promise<EncodedPrompts> {
  const keyFrames =
    clip.travel[0]?.frame === 0 ? clip.travel : [{ frame: 0, prompt: clip.prompt }, ...clip.travel];
  const zeros = clip.negativePrompt === undefined && models.zerosForEmptyPrompt;
  const texts = [...keyFrames.map((key) => key.prompt), ...(zeros ? [] : [clip.negativePrompt ?? ""])];
  const encoded = await encodeTexts(models.text, texts, clip.clipSkip, adapters);
  const positive = keyFrames.map(({ frame }, i) => ({ frame, conditioning: pick(encoded, i) }));
  return {
    positive,
    negative: zeros ? zerosLike(pick(encoded, 0)) : pick(encoded, texts.length - 1),
    warnings: cutWarnings(models.text, [
      ["prompt", clip.prompt],
      ["negative_prompt", clip.negativePrompt ?? ""],
    ]),
  };
}

interface EncoderOutput {
  encoder: TextModel;
  hidden: Float32Array;
  pooled: Float32Array;
}

async function encodeTexts(
  encoders: readonly TextModel[],
  texts: readonly string[],
  clipSkip: number,
  adapters: readonly WeightedAdapter[],
): Promise<Conditioning[]> {
  const parsed = texts.map(parsePromptWeights);
  const chunked = encoders.map(({ tokenizer }) => parsed.map((parts) => promptChunks(tokenizer, parts)));
  const passes = Math.max(...chunked.flat().map((chunks) => chunks.length));
  const perEncoder: EncoderOutput[] = [];
  for (const [i, encoder] of encoders.entries()) {
    const empty = promptChunks(encoder.tokenizer, []);
    const chunks = (chunked[i] ?? []).flatMap((own) => [...own, ...repeat(empty, passes - own.length)]);
    const { loraTargets, loraFormat } = encoder;
    const lora = joinAdapters(COMPONENTS[i] ?? "text_encoder", loraTargets, adapters, loraFormat);
    const { hidden, pooled } = await encoder.encode(
      chunks.map((chunk) => chunk.ids),
      clipSkip,
      lora,
    );
    weigh(hidden, chunks, encoder.width);
    perEncoder.push({ encoder, hidden, pooled });
  }
  return texts.map((_, text) => joinEncoders(perEncoder, text, passes));
}

/** Concatenates the encoders' features token by token; pooled comes from the first pass, which holds the subject. */
function joinEncoders(outputs: readonly EncoderOutput[], text: number, passes: number): Conditioning {
  const tokens = (outputs[0]?.encoder.tokenizer.maxLength ?? 0) * passes;
  const width = outputs.reduce((sum, { encoder }) => sum + encoder.width, 0);
  const context = new Float32Array(tokens * width);
  let column = 0;
  for (const { encoder, hidden } of outputs) {
    if (encoder.tokenizer.maxLength * passes !== tokens)
      throw new Error("the text encoders take prompts of different lengths");
    for (let token = 0; token < tokens; token++) {
      const from = (text * tokens + token) * encoder.width;
      context.set(hidden.subarray(from, from + encoder.width), token * width + column);
    }
    column += encoder.width;
  }
  const last = outputs.at(-1);
  const features = last?.encoder.pooledWidth ?? 0;
  const start = text * passes * features;
  return { context, tokens, pooled: last?.pooled.slice(start, start + features) ?? new Float32Array(0) };
}

/** `e = last + (e − last)·weight`: emphasis relative to the last position, which holds no words (lpw SDXL). */
function weigh(hidden: Float32Array, chunks: readonly PromptChunk[], width: number): void {
  for (const [i, { weights }] of chunks.entries()) {
    const last = (i * weights.length + weights.length - 1) * width;
    for (const [token, weight] of weights.entries()) {
      if (weight === 1) continue;
      const at = (i * weights.length + token) * width;
      for (let k = 0; k < width; k++) {
        const base = hidden[last + k] as number;
        hidden[at + k] = base + ((hidden[at + k] as number) - base) * weight;
      }
    }
  }
}

/** The context of each frame: prompts between two key frames are mixed linearly. */
export function contextAt(positive: EncodedPrompts["positive"], frame: number): Float32Array {
  const next = positive.findIndex((key) => key.frame > frame);
  const from = positive[next < 0 ? positive.length - 1 : Math.max(0, next - 1)];
  const to = next < 0 ? undefined : positive[next];
  if (!from) throw new Error("no prompt was encoded");
  if (!to) return from.conditioning.context;
  const mix = (frame - from.frame) / (to.frame - from.frame);
  return from.conditioning.context.map((a, i) => a + ((to.conditioning.context[i] as number) - a) * mix);
}

function cutWarnings(
  encoders: readonly TextModel[],
  prompts: readonly (readonly [string, string])[],
): Warning[] {
  return prompts.flatMap(([field, text]) => {
    const cut = Math.max(...encoders.map(({ tokenizer }) => wordsCut(tokenizer, parsePromptWeights(text))));
    if (cut === 0) return [];
    return [{ field, given: text, used: "its beginning", rule: `${cut} tokens at its end are too many` }];
  });
}

function zerosLike({ context, tokens, pooled }: Conditioning): Conditioning {
  return { context: new Float32Array(context.length), tokens, pooled: new Float32Array(pooled.length) };
}

function repeat<T>(items: readonly T[], times: number): T[] {
  return Array.from({ length: times }, () => items).flat();
}

function pick(list: readonly Conditioning[], index: number): Conditioning {
  const found = list[index];
  if (!found) throw new RangeError(`prompt ${index} of ${list.length}`);
  return found;
}

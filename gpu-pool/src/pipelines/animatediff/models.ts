import type { LoraTarget } from "../../graphs/builder/types.ts";
import type { LoraFormat } from "../../lora/index.ts";
import type { Feeds } from "../../onnx/session.ts";
import type { ClipTokenizer } from "../../tokenizers/index.ts";

/** A CLIP text encoder with its tokenizer. */
export interface TextModel {
  readonly tokenizer: ClipTokenizer;
  /** Features of a token. */
  readonly width: number;
  /** Features of the pooled text; 0 for encoders without projection. */
  readonly pooledWidth: number;
  readonly loraTargets: readonly LoraTarget[];
  readonly loraFormat: LoraFormat;
  /**
   * @param ids one text encoder pass each
   * @param clipSkip layers left out at the end, beyond what the model family leaves out anyway
   * @returns `hidden` [passes, tokens, width]; `pooled` [passes, pooledWidth]
   */
  encode(
    ids: readonly (readonly number[])[],
    clipSkip: number,
    lora: Feeds,
  ): Promise<{ hidden: Float32Array; pooled: Float32Array }>;
}

/** Inputs of one UNet pass; `batch` is 2 with guidance (negative first), 1 without. */
export interface UnetInput {
  batch: number;
  frames: number;
  /** Of the latents. */
  height: number;
  width: number;
  /** Of the finished picture, which SDXL is told. */
  pixelHeight: number;
  pixelWidth: number;
  /** [batch, channels, frames, height, width] */
  sample: Float32Array;
  timestep: number;
  /** [batch, tokens, features], or [batch · frames, tokens, features] when the prompt changes over the frames. */
  context: Float32Array;
  contextRows: number;
  tokens: number;
  /** [batch, features]; empty for families without pooled text. */
  pooled: Float32Array;
  /** Other steps of the clip are predicted two in one run: their graph serves this one too. */
  inTwos: boolean;
  lora: Feeds;
}

/** A second sampling step in the same run, with the deep features of the first. */
export interface NextStep {
  timestep: number;
  /**
   * Its sample is `base` plus the first step's outputs, each batch row times its weight: [channels, frames, height,
   * width], one weight per row.
   */
  base: Float32Array;
  mix: readonly number[];
}

export interface Unet {
  readonly channels: number;
  /** Frames that the motion modules take in one pass. */
  readonly maxFrames: number;
  readonly layersPerBlock: number;
  readonly loraTargets: readonly LoraTarget[];
  readonly loraFormat: LoraFormat;
  /** @returns the prediction, in the layout of `sample` */
  predict(input: UnetInput): Promise<Float32Array>;
  /** Two steps in one run. @returns both predictions */
  predictTwo(input: UnetInput, next: NextStep): Promise<[Float32Array, Float32Array]>;
  /** A clip has ended: its LoRAs need not be on the device any more. */
  forgetLoras(): void;
  /** Gives back what the session holds of the device's memory; the next prediction opens it anew. */
  releaseMemory(): Promise<void>;
}

/** Frames as the VAE's graph finishes them, and what tells a damaged one. */
export interface DecodedFrames {
  /** [count, H, W, 3] */
  rgb: Uint8Array;
  /** Mean of each frame's numbers: not finite when one of them is not. */
  mean: Float32Array;
  /** The largest number of each frame less the smallest. */
  spread: Float32Array;
}

export interface Vae {
  /** Frames that are decoded fastest together. */
  readonly framesAtOnce: number;
  /** Pixels per latent, on each side. */
  readonly factor: number;
  readonly scalingFactor: number;
  /** @param latents unscaled [count, channels, height, width] */
  decode(latents: Float32Array, count: number, height: number, width: number): Promise<DecodedFrames>;
  /** The same in float32 on the CPU, for frames that half precision spoiled. */
  decodeExact(latents: Float32Array, count: number, height: number, width: number): Promise<DecodedFrames>;
  /** @param pixels [1, 3, H, W], −1 to 1; @returns the mean latents, unscaled */
  encode(pixels: Float32Array, height: number, width: number): Promise<Float32Array>;
}

/** All models of a pack's picture half. */
export interface PictureModels {
  readonly text: readonly TextModel[];
  readonly unet: Unet;
  readonly vae: Vae;
  /** A negative prompt that was not given is zeros instead of the encoding of "". */
  readonly zerosForEmptyPrompt: boolean;
  close(): Promise<void>;
}

import type { Dim, GraphBuilder, Value } from "../builder/index.ts";

/**
 * A batch of images inside a graph. How the numbers lie in memory (channels first or last) is the
 * target's own business: only its operators look at `value`.
 */
export interface FeatureMap {
  readonly value: Value;
  readonly batch: Dim;
  readonly height: Dim;
  readonly width: Dim;
  readonly channels: number;
}

/** A layer's result whose bias may still have to be added. */
export interface Deferred<T> {
  readonly result: T;
  readonly bias?: Value;
}

/** Residual stream `branch + bias + skip` that a target may add inside the norm that follows. */
export interface Residual<T> extends Deferred<T> {
  readonly skip?: T;
  /** The sum, once something had to compute it. */
  settled?: T;
}

/** A residual stream that is already one value. */
export function settledStream<T>(result: T): Residual<T> {
  return { result, settled: result };
}

/** The output of a norm, and the sum that went into it. */
export interface Normed<T> {
  readonly normed: T;
  readonly sum: T;
}

export interface ConvOptions {
  readonly outChannels: number;
  readonly kernel: 1 | 3;
  readonly stride?: 1 | 2;
  /** Zeros around the image: `same` on every side, `end` at the bottom and right only. Default `same`. */
  readonly padding?: "same" | "end";
}

export interface GroupNormOptions {
  readonly groups: number;
  readonly epsilon: number;
  /** Apply SiLU to the result. */
  readonly silu?: boolean;
}

export interface AttentionOptions {
  readonly heads: number;
  /** Token i sees tokens 0..i only. */
  readonly causal?: boolean;
  /** `temporal`: many short sequences over frames. */
  readonly kind: "self" | "cross" | "temporal";
}

/** Operators of one target, bound to one graph. Paths are module paths in the model's weights. */
export interface TargetOps {
  readonly g: GraphBuilder;

  // Tokens: values of shape [batch, sequence, channels]

  /** `x @ W.T (+ b)`. A path that is a LoRA target takes its A and B from graph inputs. */
  linear(x: Value, path: string, options?: LinearOptions): Value;
  /** The same, leaving the bias to whoever adds the residual. */
  linearDeferred(x: Value, path: string, options?: LinearOptions): Deferred<Value>;
  /** @param position [F, C], added to row i % F of each sequence of F tokens, after the norm */
  layerNorm(stream: Residual<Value>, path: string, epsilon: number, position?: Value): Normed<Value>;
  settle(stream: Residual<Value>): Value;
  /** Scaled dot-product attention over [batch, sequence, channels], heads split inside. */
  attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value;
  /** The GEGLU feed-forward of a transformer block: `value * gelu(gate)`, then a linear layer. LoRA targets. */
  feedForward(x: Value, path: string, kind: "spatial" | "temporal"): Deferred<Value>;
  silu(x: Value): Value;

  // Images

  /** [N, C, H, W] to a feature map. */
  fromImages(x: Value): FeatureMap;
  toImages(map: FeatureMap): Value;
  /** [B, C, F, H, W] to a feature map of B*F images. */
  fromVideo(x: Value): FeatureMap;
  toVideo(map: FeatureMap, batch: Dim, frames: Dim): Value;
  conv(map: FeatureMap, path: string, options: ConvOptions): FeatureMap;
  convDeferred(map: FeatureMap, path: string, options: ConvOptions): Deferred<FeatureMap>;
  groupNorm(stream: Residual<FeatureMap>, path: string, options: GroupNormOptions): Normed<FeatureMap>;
  /** SiLU(groupNorm(x + bias + shift)) with `shift` [N, C] the same for all pixels. */
  groupNormShifted(
    x: Deferred<FeatureMap>,
    shift: Value | undefined,
    path: string,
    options: GroupNormOptions,
  ): FeatureMap;
  settleMap(stream: Residual<FeatureMap>): FeatureMap;
  concatChannels(a: FeatureMap, b: FeatureMap): FeatureMap;
  /** A 3x3 convolution of the image enlarged by 2 (nearest neighbour). */
  upsampledConv(map: FeatureMap, path: string, outChannels: number): FeatureMap;
  /** [N, H*W, C] */
  toTokens(map: FeatureMap): Value;
  /** [N, H*W, C] back to images with the sizes of `like`. */
  fromTokens(tokens: Value, like: FeatureMap): FeatureMap;
  /**
   * Group norm with statistics over all frames of a clip, as sequences over time.
   * @returns `normed` [B*H*W, F, C], and the sum that went in
   */
  clipNorm(
    stream: Residual<FeatureMap>,
    path: string,
    batch: Dim,
    frames: Dim,
    options: GroupNormOptions,
  ): { normed: Value; sum: FeatureMap };
  /** [B*H*W, F, C] back to images with the sizes of `like`. */
  fromTimeTokens(tokens: Value, like: FeatureMap, batch: Dim, frames: Dim): FeatureMap;
}

export interface LinearOptions {
  /** Whether the layer is a LoRA target in graphs with LoRA inputs. */
  readonly lora?: boolean | "convolutions";
}

/**
 * Which layers take LoRA matrices from graph inputs: none, the linear layers of the transformers, or with
 * `convolutions` those, every convolution and the time projections (LoCon).
 */
export type LoraScope = boolean | "convolutions";

/** A way to compute: a table of operator choices. */
export interface Target {
  readonly name: "cpu" | "cuda";
  readonly dtype: "float32" | "float16";
  /** Binds the operators to a graph. */
  bind(g: GraphBuilder, options: { readonly lora: LoraScope }): TargetOps;
}

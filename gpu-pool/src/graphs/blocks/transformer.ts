import { type Dim, mulDims, op, type Value } from "../builder/index.ts";
import type { FeatureMap, Residual, TargetOps } from "../target/target.ts";

const LORA = { lora: true };
const LAYER_NORM_EPSILON = 1e-5;

/** What the second attention of a block looks at, and how positions are marked. */
export interface BlockContext {
  readonly heads: number;
  readonly kind: "self" | "temporal";
  /** [sequence, channels], added to what the attentions see; blocks over pixels have none. */
  readonly position?: Value;
  /** Runs the queries of one block against the text; without it the block attends to itself twice. */
  readonly text?: {
    readonly states: Value;
    /** [B*F, H*W, C] to [B, F*H*W, C], so that all frames share one row of text. */
    readonly fold: (q: Value) => Value;
    readonly unfold: (q: Value) => Value;
  };
}

function attentionBranch(ops: TargetOps, x: Value, path: string, context: BlockContext, crossing: boolean) {
  const text = crossing ? context.text : undefined;
  const source = text ? text.states : x;
  const q = ops.linear(x, `${path}.to_q`, LORA);
  const k = ops.linear(source, `${path}.to_k`, LORA);
  const v = ops.linear(source, `${path}.to_v`, LORA);
  const kind = text ? "cross" : context.kind;
  const mixed = ops.attention(text ? text.fold(q) : q, k, v, { heads: context.heads, kind });
  return ops.linearDeferred(text ? text.unfold(mixed) : mixed, `${path}.to_out.0`, LORA);
}

/**
 * BasicTransformerBlock of diffusers: attention, attention (to the text, or again to itself), GEGLU
 * feed-forward, each on the layer norm of the residual stream.
 */
export function transformerBlock(
  ops: TargetOps,
  stream: Residual<Value>,
  path: string,
  context: BlockContext,
): Residual<Value> {
  const { position } = context;
  const first = ops.layerNorm(stream, `${path}.norm1`, LAYER_NORM_EPSILON, position);
  const attn1 = attentionBranch(ops, first.normed, `${path}.attn1`, context, false);
  const second = ops.layerNorm({ ...attn1, skip: first.sum }, `${path}.norm2`, LAYER_NORM_EPSILON, position);
  const attn2 = attentionBranch(ops, second.normed, `${path}.attn2`, context, true);
  const third = ops.layerNorm({ ...attn2, skip: second.sum }, `${path}.norm3`, LAYER_NORM_EPSILON);
  const kind = context.kind === "temporal" ? "temporal" : "spatial";
  return { ...ops.feedForward(third.normed, `${path}.ff`, kind), skip: third.sum };
}

export interface SpatialOptions {
  readonly layers: number;
  readonly heads: number;
  readonly groups: number;
  readonly batch: Dim;
  readonly frames: Dim;
  /** Text states: [B, S, D], the same for all frames of a clip, or [B*F, S, D] with one row per frame. */
  readonly text: Value;
}

/** Transformer2DModel of diffusers: self-attention over pixels and cross-attention to the text, per frame. */
export function spatialTransformer(
  ops: TargetOps,
  stream: Residual<FeatureMap>,
  path: string,
  { layers, heads, groups, batch, frames, text }: SpatialOptions,
): Residual<FeatureMap> {
  const { normed, sum } = ops.groupNorm(stream, `${path}.norm`, { groups, epsilon: 1e-6 });
  const { channels } = sum;
  const pixels = mulDims(sum.height, sum.width);
  const context: BlockContext = {
    heads,
    kind: "self",
    text: { states: text, ...queryRows(ops, text.shape[0] ?? batch, batch, frames, pixels, channels) },
  };
  let tokens: Residual<Value> = { ...ops.linearDeferred(ops.toTokens(normed), `${path}.proj_in`, LORA) };
  for (let i = 0; i < layers; i++) {
    tokens = transformerBlock(ops, tokens, `${path}.transformer_blocks.${i}`, context);
  }
  const { result, bias } = ops.linearDeferred(ops.settle(tokens), `${path}.proj_out`, LORA);
  return { result: ops.fromTokens(result, sum), bias, skip: sum };
}

/** Puts the queries of all images that share a row of text side by side, and takes them apart again. */
function queryRows(ops: TargetOps, rows: Dim, batch: Dim, frames: Dim, pixels: Dim, channels: number) {
  const { g } = ops;
  const images: [Dim, Dim, Dim] = [mulDims(batch, frames), pixels, channels];
  if (rows === batch) {
    return {
      fold: (q: Value) => op.reshape(g, q, [batch, mulDims(frames, pixels), channels]),
      unfold: (q: Value) => op.reshape(g, q, images),
    };
  }
  // How many images share a row is known only when the graph runs, which dimensions cannot say.
  const shared: Dim = "Q";
  return {
    fold: (q: Value) =>
      g.node("Reshape", [q, g.shapeTensor([rows, -1, channels])], { shape: [rows, shared, channels] }),
    unfold: (q: Value) => g.node("Reshape", [q, g.shapeTensor([-1, pixels, channels])], { shape: images }),
  };
}

export interface MotionOptions {
  readonly layers: number;
  readonly heads: number;
  readonly groups: number;
  readonly batch: Dim;
  readonly frames: Dim;
  /** Longest clip the position table covers. */
  readonly maxFrames: number;
}

/** The sinusoidal table of diffusers' SinusoidalPositionalEmbedding: [1, length, channels], sin and cos in turn. */
export function sinusoidalPositions(length: number, channels: number): Float32Array {
  const table = new Float32Array(length * channels);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < channels; i += 2) {
      const angle = position * Math.exp((i * -Math.log(10000)) / channels);
      table[position * channels + i] = Math.sin(angle);
      if (i + 1 < channels) table[position * channels + i + 1] = Math.cos(angle);
    }
  }
  return table;
}

/**
 * AnimateDiffTransformer3D of diffusers: attention over the frames of each pixel. The group norm takes its
 * statistics over all frames of the clip.
 */
export function motionModule(
  ops: TargetOps,
  stream: Residual<FeatureMap>,
  path: string,
  { layers, heads, groups, batch, frames, maxFrames }: MotionOptions,
): Residual<FeatureMap> {
  const { g } = ops;
  const { normed, sum } = ops.clipNorm(stream, `${path}.norm`, batch, frames, { groups, epsilon: 1e-6 });
  let tokens: Residual<Value> = { ...ops.linearDeferred(normed, `${path}.proj_in`, LORA) };
  for (let i = 0; i < layers; i++) {
    const block = `${path}.transformer_blocks.${i}`;
    const stored = `${block}.pos_embed.pe`;
    const table = g.weights.has(stored)
      ? g.weight(stored)
      : op.floats(g, sinusoidalPositions(maxFrames, sum.channels), [1, maxFrames, sum.channels]);
    const positions = op.slice(g, table, 1, 0, g.size(frames), frames);
    const position = op.reshape(g, positions, [frames, sum.channels]);
    const context: BlockContext = { heads, kind: "temporal", position };
    tokens = transformerBlock(ops, tokens, block, context);
  }
  const { result, bias } = ops.linearDeferred(ops.settle(tokens), `${path}.proj_out`, LORA);
  return { result: ops.fromTimeTokens(result, sum, batch, frames), bias, skip: sum };
}

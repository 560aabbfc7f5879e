import { NATIVE_DOMAIN } from "../builder/encode.ts";
import { type Dim, type GraphBuilder, op, type Value } from "../builder/index.ts";
import type { GroupNormOptions } from "./target.ts";

/** What the own operators (gpu-pool/native) take over from the CUDA provider. */
export type NativePart =
  | "attention"
  | "geglu"
  | "groupNorm"
  | "layerNorm"
  | "upsample"
  | "lora"
  | "feedForward";
export const NATIVE_PARTS: readonly NativePart[] = [
  "attention",
  "geglu",
  "groupNorm",
  "layerNorm",
  "upsample",
  "lora",
];

/** @param computeCapability of the GPU, 90 for 9.0 */
export function nativePartsFor(computeCapability: number): readonly NativePart[] {
  // The feed-forward's kernel is for the tensor cores of one generation.
  return computeCapability === 90 ? [...NATIVE_PARTS, "feedForward"] : NATIVE_PARTS;
}

/**
 * How the rows of a map lie: `in`, `out` and `clip` of a norm. With `in` or `out` of F frames, rows are ordered
 * (pixel, frame) there instead of (frame, pixel).
 */
export interface FrameOrder {
  readonly in?: number;
  readonly out?: number;
  /** The images of the norm are whole clips. */
  readonly clip?: boolean;
}

const affine = (g: GraphBuilder, path: string) =>
  ["weight", "bias"].map((name) => g.weight(`${path}.${name}`, { dtype: "float32" }));

function normAttributes({ groups, epsilon, silu }: GroupNormOptions, order: FrameOrder) {
  return {
    epsilon: { f: epsilon },
    groups: { i: groups },
    silu: { i: silu ? 1 : 0 },
    frames_in: { i: order.in ?? 0 },
    frames_out: { i: order.out ?? 0 },
    clip: { i: order.clip ? 1 : 0 },
  };
}

/** Whether the norm kernel fits: rows of eights, whole groups. */
export function fitsNativeNorm(x: Value, { groups }: GroupNormOptions): boolean {
  const channels = x.shape.at(-1);
  return typeof channels === "number" && channels % 8 === 0 && channels % groups === 0 && channels <= 4096;
}

/** Group norm of `x + shift + bias`; `shift` [N, C]. The sums are in a fixed order: bit-stable. */
export function nativeGroupNorm(
  g: GraphBuilder,
  x: Value,
  path: string,
  options: GroupNormOptions,
  order: FrameOrder = {},
  shift?: Value,
  bias?: Value,
): Value {
  const inputs = [x, ...affine(g, path), shift, bias];
  const outputs = [
    { dtype: x.dtype, shape: x.shape },
    { dtype: "float32", shape: ["sums"] },
  ] as const;
  const [normed] = g.nodes("GroupNorm", inputs, outputs, normAttributes(options, order), NATIVE_DOMAIN);
  if (!normed) throw new Error("GroupNorm made no output");
  return normed;
}

/** Group norm of `x + skip + bias`, and that sum; `skip` has the shape and the usual order of the result. */
export function nativeSkipGroupNorm(
  g: GraphBuilder,
  x: Value,
  path: string,
  skip: Value,
  bias: Value | undefined,
  options: GroupNormOptions,
  order: FrameOrder = {},
): { normed: Value; sum: Value } {
  const inputs = [x, ...affine(g, path), skip, bias];
  const like = { dtype: skip.dtype, shape: skip.shape };
  const outputs = [like, like, { dtype: "float32", shape: ["sums"] }] as const;
  const attributes = normAttributes(options, order);
  const [normed, sum] = g.nodes("SkipGroupNorm", inputs, outputs, attributes, NATIVE_DOMAIN);
  if (!normed || !sum) throw new Error("SkipGroupNorm made no output");
  return { normed, sum };
}

/** Frames that the kernel of temporal attention holds at once. */
const MAX_ATTENTION_FRAMES = 32;

export function fitsNativeAttention(q: Value, heads: number): boolean {
  const [, frames, channels] = q.shape;
  const known = typeof frames === "number" && typeof channels === "number";
  return known && frames <= MAX_ATTENTION_FRAMES && channels % (8 * heads) === 0;
}

/** Attention over the frames of each pixel, [B*H*W, F, C]: short sequences, read once. */
export function nativeTemporalAttention(g: GraphBuilder, q: Value, k: Value, v: Value, heads: number): Value {
  return g.node("TemporalAttention", [q, k, v], {}, { heads: { i: heads } }, NATIVE_DOMAIN);
}

/** `left * gelu(right)` of the halves of `x + bias`. */
export function nativeGeglu(g: GraphBuilder, x: Value, bias: Value): Value {
  const width = x.shape.at(-1);
  if (typeof width !== "number") throw new Error("the number of channels must be known");
  return g.node("GeGlu", [x, bias], { shape: [...x.shape.slice(0, -1), width / 2] }, {}, NATIVE_DOMAIN);
}

const divisible = (dim: Dim | undefined, by: number) => typeof dim === "number" && dim % by === 0;

/** Whether the kernel takes these sizes: a depth of whole stages, results of whole boxes. */
export function fitsGatedLinear(depth: Dim | undefined, width: number): boolean {
  return divisible(depth, 64) && divisible(width, 128);
}

/** `(x values + bias) * gelu(x gates + bias)` with the weight [values; gates], [2 * width, depth]. */
export function nativeGatedLinear(
  g: GraphBuilder,
  x: Value,
  weight: Value,
  bias: Value,
  width: number,
): Value {
  const shape = [...x.shape.slice(0, -1), width];
  return g.node("GatedLinear", [x, weight, bias], { shape }, {}, NATIVE_DOMAIN);
}

/** `weight + b a` of a matrix [out, in] and its layer's part of the LoRA matrices that lie together. */
export function nativeAdaptedWeight(
  g: GraphBuilder,
  weight: Value,
  { a, b, columnsBefore, rowsBefore }: ReturnType<GraphBuilder["loraTogether"]>,
): Value {
  const attributes = { columns_before: { i: columnsBefore }, rows_before: { i: rowsBefore } };
  return g.node("AdaptedWeight", [weight, a, b], { shape: weight.shape }, attributes, NATIVE_DOMAIN);
}

/** `silu(left) * right` of the halves of `x`. */
export function nativeGatedSilu(g: GraphBuilder, x: Value): Value {
  const width = x.shape.at(-1);
  if (typeof width !== "number") throw new Error("the number of channels must be known");
  return g.node("GatedSilu", [x], { shape: [...x.shape.slice(0, -1), width / 2] }, {}, NATIVE_DOMAIN);
}

/** Layer norm of `x + skip + bias`, plus `position` [F, C]; and the sum. */
export function nativeLayerNorm(
  g: GraphBuilder,
  x: Value,
  path: string,
  epsilon: number,
  { skip, bias, position }: { skip?: Value; bias?: Value; position?: Value },
): { normed: Value; sum: Value } {
  const inputs = [x, g.weight(`${path}.weight`), g.weight(`${path}.bias`), skip, bias, position];
  const like = { dtype: x.dtype, shape: x.shape };
  const attributes = { epsilon: { f: epsilon } };
  const [normed, sum] = g.nodes("LayerNorm", inputs, [like, like], attributes, NATIVE_DOMAIN);
  if (!normed || !sum) throw new Error("LayerNorm made no output");
  return { normed, sum };
}

/** `x + bias + skip` where the rows of `x` are ordered (pixel, frame). */
export function nativeResidual(g: GraphBuilder, x: Value, bias: Value, skip: Value, frames: number): Value {
  const attributes = { frames_in: { i: frames }, clip: { i: 0 } };
  return g.node("Residual", [x, bias, skip], { shape: skip.shape }, attributes, NATIVE_DOMAIN);
}

/**
 * The weight of a 3x3 convolution after nearest-neighbour enlargement, as one 2x2 convolution of the small image
 * that makes the four pixels of each place: [4 * out, 2, 2, in]. Each tap of the small image meets the sum of the
 * taps that fall on it. In float32, which ONNX Runtime multiplies while it loads: NhwcConv wants a constant weight.
 */
export function foldedUpsampleWeight(g: GraphBuilder, path: string): Value {
  return g.once(`folded ${path}`, () => {
    const [out = 0, width = 0] = g.weights.get(`${path}.weight`).shape;
    const taps = g.weight(`${path}.weight`, { dtype: "float32", shape: [out * width, 9] });
    const folded = op.matmul(g, taps, op.floats(g, foldingMatrix(), [9, 16], "float32"));
    const apart = op.reshape(g, folded, [out, width, 4, 4]);
    const weight = op.reshape(g, op.transpose(g, apart, [2, 0, 3, 1]), [4 * out, 2, 2, width]);
    return op.cast(g, weight, g.dtype);
  });
}

/** [9 taps of 3x3, 4 phases x 4 taps of 2x2]: 1 where a tap of the large image reads that pixel of the small one. */
function foldingMatrix(): Float32Array {
  const matrix = new Float32Array(9 * 16);
  // Phase 0 reads the small rows i - 1 and i, phase 1 reads i and i + 1.
  const lands = (phase: number, tap: number) => Math.floor((phase + tap - 1) / 2) + (phase === 0 ? 1 : 0);
  for (let a = 0; a < 2; a++)
    for (let b = 0; b < 2; b++)
      for (let u = 0; u < 3; u++)
        for (let v = 0; v < 3; v++)
          matrix[(u * 3 + v) * 16 + (a * 2 + b) * 4 + lands(a, u) * 2 + lands(b, v)] = 1;
  return matrix;
}

/** The 2x2 result [N, H + 1, W + 1, 4 * C], plus the bias [C], as the large image [N, 2H, 2W, C]. */
export function nativeInterleave(g: GraphBuilder, phases: Value, bias: Value, shape: Value["shape"]): Value {
  return g.node("Interleave", [phases, bias], { shape }, {}, NATIVE_DOMAIN);
}

import { type GraphBuilder, op, type Shape, type Value } from "./builder/index.ts";
import { nativeGatedSilu } from "./target/native-kernels.ts";

/** Pieces that Dia's encoder and decoder share; ported from transformers 5.17, models/dia/modeling_dia.py. */

export interface RopeTable {
  /** [positions, head_dim / 2] each. */
  readonly cos: Value;
  readonly sin: Value;
}

/** Cosines and sines of the rotary embedding, [positions, head_dim / 2], computed in float32 as torch does. */
export function ropeAngles(
  positions: number,
  headDim: number,
  theta: number,
): { cos: Float32Array; sin: Float32Array } {
  const half = headDim / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let i = 0; i < half; i++) {
    const inverse = Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headDim)));
    for (let p = 0; p < positions; p++) {
      const angle = Math.fround(inverse * p);
      cos[p * half + i] = Math.cos(angle);
      sin[p * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** The angles' table in the graph's type. */
export function ropeTable(g: GraphBuilder, positions: number, headDim: number, theta: number): RopeTable {
  const { cos, sin } = ropeAngles(positions, headDim, theta);
  const shape = [positions, headDim / 2];
  return { cos: op.floats(g, cos, shape), sin: op.floats(g, sin, shape) };
}

/** Root-mean-square norm, computed in float32. */
export function rmsNorm(g: GraphBuilder, x: Value, path: string, epsilon: number): Value {
  const attributes = { axis: { i: -1 }, epsilon: { f: epsilon }, stash_type: { i: 1 } };
  return g.node("SimplifiedLayerNormalization", [x, g.weight(`${path}.weight`)], {}, attributes);
}

/** `norm(x + skip)` and `x + skip` in one operator. */
export function skipRmsNorm(
  g: GraphBuilder,
  x: Value,
  skip: Value,
  path: string,
  epsilon: number,
): { normed: Value; sum: Value } {
  const [normed, , , sum] = g.nodes(
    "SkipSimplifiedLayerNormalization",
    [x, skip, g.weight(`${path}.weight`)],
    [x, undefined, undefined, x],
    { epsilon: { f: epsilon } },
    "com.microsoft",
  );
  if (!normed || !sum) throw new Error("SkipSimplifiedLayerNormalization has two outputs");
  return { normed, sum };
}

/** A linear layer without bias; the weight [out, in] is read as it lies. */
export function linear(g: GraphBuilder, x: Value, path: string): Value {
  return op.matmulTransposed(g, x, g.weight(`${path}.weight`));
}

export function activation(g: GraphBuilder, x: Value, name: string): Value {
  switch (name) {
    case "silu":
    case "swish":
      return g.node("QuickGelu", [x], {}, { alpha: { f: 1 } }, "com.microsoft");
    case "gelu":
      return g.node("Gelu", [x], {}, {}, "com.microsoft");
    case "gelu_new":
    case "gelu_pytorch_tanh":
      return g.node("FastGelu", [x], {}, {}, "com.microsoft");
    case "relu":
      return g.node("Relu", [x]);
    default:
      throw new Error(`unsupported hidden_act "${name}"`);
  }
}

/** Gated feed-forward: `down(up * act(gate))`, gate and up in one matrix. */
export function gatedMlp(g: GraphBuilder, x: Value, path: string, hiddenAct: string, native = false): Value {
  const inner = linear(g, x, `${path}.gate_up_proj`);
  const width = inner.shape.at(-1);
  if (native && hiddenAct === "silu" && typeof width === "number" && width % 16 === 0)
    return linear(g, nativeGatedSilu(g, inner), `${path}.down_proj`);
  const [gate, up] = op.split(g, inner, 2, -1);
  if (!gate || !up) throw new Error("gate_up_proj has two halves");
  return linear(g, op.mul(g, up, activation(g, gate, hiddenAct)), `${path}.down_proj`);
}

/** [R, S, heads * dim] as [R, heads, S, dim]. */
export function splitHeads(g: GraphBuilder, x: Value, heads: number, dim: number): Value {
  const [rows = 1, length = 1] = x.shape;
  return op.transpose(g, op.reshape(g, x, [rows, length, heads, dim]), [0, 2, 1, 3]);
}

/** [R, heads, S, dim] as [R, S, heads * dim]. */
export function mergeHeads(g: GraphBuilder, x: Value): Value {
  const [rows = 1, heads = 1, length = 1, dim = 1] = x.shape;
  const merged: Shape = [rows, length, Number(heads) * Number(dim)];
  return op.reshape(g, op.transpose(g, x, [0, 2, 1, 3]), merged);
}

/** Repeats each key/value head for the query heads that share it: [R, kv, S, dim] to [R, heads, S, dim]. */
export function repeatHeads(g: GraphBuilder, x: Value, times: number): Value {
  if (times === 1) return x;
  const [rows = 1, heads = 1, length = 1, dim = 1] = x.shape;
  const copies = Array.from({ length: times }, () => op.unsqueeze(g, x, [2]));
  const grouped = op.concat(g, copies, 2);
  return op.reshape(g, grouped, [rows, Number(heads) * times, length, dim]);
}

/** Rotates [R, heads, S, dim] by cosines and sines of shape [S, dim / 2] (halves, not interleaved). */
export function rotate(g: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const [first, second] = op.split(g, x, 2, -1);
  if (!first || !second) throw new Error("a head has two halves");
  const low = op.sub(g, op.mul(g, first, cos), op.mul(g, second, sin));
  const high = op.add(g, op.mul(g, second, cos), op.mul(g, first, sin));
  return op.concat(g, [low, high], -1);
}

/**
 * Attention with scale 1, as Dia was trained: no division by the root of the head size.
 * @param bias added to the scores [R, heads, S, P] before the softmax
 */
export function attention(
  g: GraphBuilder,
  q: Value,
  k: Value,
  v: Value,
  bias?: Value,
): { output: Value; weights: Value } {
  const scores = op.matmulTransposed(g, q, k);
  const weights = op.softmax(g, bias ? op.add(g, scores, bias) : scores);
  return { output: op.matmul(g, weights, v), weights };
}

import { toHalfArray } from "../../weights/float16.ts";
import { broadcastShapes, type Dim, divDim, elementCount, mulDims, type Shape } from "./dims.ts";
import type { GraphBuilder } from "./graph.ts";
import type { DType, Value } from "./types.ts";
import { ONNX_TYPE } from "./types.ts";

/** Standard ONNX operators as typed functions: each returns a value with the right type and shape. */

/** A float constant in the graph's compute type (or `dtype`). */
export function floats(
  g: GraphBuilder,
  data: ArrayLike<number>,
  shape: readonly number[],
  dtype?: DType,
): Value {
  const type = dtype ?? g.dtype;
  if (type === "float16") return g.constant("float16", toHalfArray(data), shape);
  return g.constant("float32", Float32Array.from(data), shape);
}

/** A float scalar of the same type as `like`. */
export function scalar(g: GraphBuilder, value: number, like?: Value): Value {
  return floats(g, [value], [], like?.dtype);
}

function elementwise(g: GraphBuilder, op: string, a: Value, b: Value): Value {
  return g.node(op, [a, b], { shape: broadcastShapes(a.shape, b.shape) });
}

export function add(g: GraphBuilder, a: Value, b: Value): Value {
  return elementwise(g, "Add", a, b);
}
export function sub(g: GraphBuilder, a: Value, b: Value): Value {
  return elementwise(g, "Sub", a, b);
}
export function mul(g: GraphBuilder, a: Value, b: Value): Value {
  return elementwise(g, "Mul", a, b);
}
export function div(g: GraphBuilder, a: Value, b: Value): Value {
  return elementwise(g, "Div", a, b);
}

export type UnaryOp =
  | "Sigmoid"
  | "Tanh"
  | "Sin"
  | "Cos"
  | "Exp"
  | "Sqrt"
  | "Neg"
  | "Reciprocal"
  | "Erf"
  | "Abs";

export function unary(g: GraphBuilder, op: UnaryOp, x: Value): Value {
  return g.node(op, [x]);
}

export function cast(g: GraphBuilder, x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : g.node("Cast", [x], { dtype }, { to: { i: ONNX_TYPE[dtype] } });
}

export function transpose(g: GraphBuilder, x: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  return g.node("Transpose", [x], { shape }, { perm: { ints: perm } });
}

/**
 * Reshape to `shape`. A single unknown size is left to the runtime (-1) and a size that stays in place is
 * copied (0), so that symbolic shapes rarely need arithmetic in the graph.
 */
export function reshape(g: GraphBuilder, x: Value, shape: Shape): Value {
  const before = elementCount(x.shape);
  const after = elementCount(shape);
  if (before !== after) {
    throw new Error(`cannot reshape ${x.name} from [${x.shape.join(", ")}] to [${shape.join(", ")}]`);
  }
  const kept = shape.map((d, i) => (typeof d === "string" && d === x.shape[i] ? 0 : d));
  const unknown = kept.filter((d) => typeof d === "string").length;
  const target =
    unknown <= 1 ? g.int64s(kept.map((d) => (typeof d === "string" ? -1 : d))) : g.shapeTensor(shape);
  return g.node("Reshape", [x, target], { shape });
}

export function unsqueeze(g: GraphBuilder, x: Value, axes: readonly number[]): Value {
  const shape: Dim[] = [...x.shape];
  for (const axis of [...axes].sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return g.node("Unsqueeze", [x, g.int64s(axes)], { shape });
}

export function squeeze(g: GraphBuilder, x: Value, axes: readonly number[]): Value {
  const shape = x.shape.filter((_, i) => !axes.includes(i));
  return g.node("Squeeze", [x, g.int64s(axes)], { shape });
}

export function expand(g: GraphBuilder, x: Value, shape: Shape): Value {
  return g.node("Expand", [x, g.shapeTensor(shape)], { shape: broadcastShapes(x.shape, shape) });
}

/** Concatenation; the joined size is a sum, spelled as a symbol of its own when a part is unknown. */
export function concat(g: GraphBuilder, values: readonly Value[], axis: number, joined?: Dim): Value {
  const first = values[0];
  if (!first) throw new Error("concat needs at least one value");
  const at = axis < 0 ? axis + first.shape.length : axis;
  const sizes = values.map((v) => v.shape[at] ?? 1);
  const sum = sizes.every((d): d is number => typeof d === "number")
    ? sizes.reduce((a, b) => a + b, 0)
    : (joined ?? sizes.join("+"));
  const shape = first.shape.map((d, i) => (i === at ? sum : d));
  return g.node("Concat", values, { shape }, { axis: { i: axis } });
}

/** Splits into equal parts along an axis. */
export function split(g: GraphBuilder, x: Value, parts: number, axis: number): Value[] {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const shape = x.shape.map((d, i) => (i === at ? divDim(d, parts) : d));
  const outputs = Array.from({ length: parts }, () => ({ dtype: x.dtype, shape }));
  return g.nodes("Split", [x], outputs, { axis: { i: axis }, num_outputs: { i: parts } });
}

/** `x[from:to]` along one axis; the bounds may be [1]-shaped int64 values when `size` is given. */
export function slice(
  g: GraphBuilder,
  x: Value,
  axis: number,
  from: number | Value,
  to: number | Value,
  size?: Dim,
): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const bound = (b: number | Value) => (typeof b === "number" ? g.int64s([b]) : b);
  const length = size ?? sliceLength(x.shape[at] ?? 1, from, to);
  const shape = x.shape.map((d, i) => (i === at ? length : d));
  return g.node("Slice", [x, bound(from), bound(to), g.int64s([at])], { shape });
}

function sliceLength(dim: Dim, from: number | Value, to: number | Value): Dim {
  if (typeof dim !== "number" || typeof from !== "number" || typeof to !== "number") {
    throw new Error("a slice with unknown bounds must state its size");
  }
  const clamp = (n: number) => Math.min(dim, n < 0 ? n + dim : n);
  return Math.max(0, clamp(to) - clamp(from));
}

export function gather(g: GraphBuilder, data: Value, indices: Value, axis = 0): Value {
  const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
  return g.node("Gather", [data, indices], { shape }, { axis: { i: axis } });
}

/** Matrix product over the last two axes, broadcasting the rest. */
export function matmul(g: GraphBuilder, a: Value, b: Value): Value {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, a.shape.at(-2) ?? 1, b.shape.at(-1) ?? 1];
  return g.node("MatMul", [a, b], { shape });
}

/** `a @ transpose(b)` over the last two axes (contrib FusedMatMul): takes a torch [out, in] weight as it lies. */
export function matmulTransposed(g: GraphBuilder, a: Value, b: Value, alpha = 1): Value {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, a.shape.at(-2) ?? 1, b.shape.at(-2) ?? 1];
  const attributes = { transB: { i: 1 }, alpha: { f: alpha } };
  return g.node("FusedMatMul", [a, b], { shape }, attributes, "com.microsoft");
}

export function softmax(g: GraphBuilder, x: Value, axis = -1): Value {
  return g.node("Softmax", [x], {}, { axis: { i: axis } });
}

/** Reduction over `axes`, by default keeping them as size 1. */
export function reduce(
  g: GraphBuilder,
  op: "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin",
  x: Value,
  axes: readonly number[],
  keepdims = true,
): Value {
  const at = axes.map((a) => (a < 0 ? a + x.shape.length : a));
  const shape = keepdims
    ? x.shape.map((d, i) => (at.includes(i) ? 1 : d))
    : x.shape.filter((_, i) => !at.includes(i));
  return g.node(op, [x, g.int64s(axes)], { shape }, { keepdims: { i: keepdims ? 1 : 0 } });
}

/** Merges neighbouring axes `[from, to)` into one. */
export function flatten(g: GraphBuilder, x: Value, from: number, to: number): Value {
  const merged = mulDims(...x.shape.slice(from, to));
  return reshape(g, x, [...x.shape.slice(0, from), merged, ...x.shape.slice(to)]);
}

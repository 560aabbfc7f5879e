import { type GraphBuilder, op, type Value } from "./builder/index.ts";
import { attention, linear, mergeHeads, type RopeTable, rotate, splitHeads } from "./dia-blocks.ts";
import type { DiaConfig } from "./dia-config.ts";

/** Keys and values of one layer, [R, heads, length, dim]. */
export interface KeysValues {
  readonly k: Value;
  readonly v: Value;
}

/** Keys and values of the text; `flat` is the form [R, T, heads * dim] of the fused operator. */
export interface CrossKeysValues extends KeysValues {
  readonly flat: KeysValues | undefined;
}

/** `gqa`: one contrib operator for rotation, cache and attention; `plain`: standard operators, any head size. */
export type SelfAttentionKind = "gqa" | "plain";

export interface Attended {
  readonly output: Value;
  readonly present: KeysValues;
}

/** Whether the contrib operator takes the model's heads: it rotates heads of a multiple of 16 only. */
export function takesGroupQuery(kind: SelfAttentionKind, { decoder }: DiaConfig): boolean {
  return kind === "gqa" && decoder.head_dim % 16 === 0;
}

/** Weights of queries, keys and values below each other, so that one product makes all three. */
export function packedProjection(g: GraphBuilder, path: string): Value {
  const weights = ["q_proj", "k_proj", "v_proj"].map((name) => g.weight(`${path}.${name}.weight`));
  return op.concat(g, weights, 0);
}

/**
 * Causal self-attention of the rows `h` [R, S, d] that follow the cached ones.
 * @param packed the joined weights, for the contrib operator
 */
export function cachedSelfAttention(
  g: GraphBuilder,
  config: DiaConfig,
  kind: SelfAttentionKind,
  path: string,
  h: Value,
  past: KeysValues,
  rope: RopeTable,
  packed?: Value,
): Attended {
  const project = (name: string) => linear(g, h, `${path}.${name}`);
  const fused = takesGroupQuery(kind, config);
  const projected =
    fused && packed
      ? { q: op.matmulTransposed(g, h, packed), k: undefined, v: undefined }
      : { q: project("q_proj"), k: project("k_proj"), v: project("v_proj") };
  const { output, present } =
    fused || !projected.k
      ? groupQueryAttention(g, config, projected, past, rope)
      : plainAttention(g, config, projected, past, rope);
  return { output: linear(g, output, `${path}.o_proj`), present };
}

interface Projected {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** Where the rows end up in the cache: the same for all layers, and small tensors cost a launch each. */
function cacheLengths(g: GraphBuilder, past: Value, q: Value): { last: Value; total: Value } {
  const key = `cache lengths ${past.shape[2]} ${q.shape[1]}`;
  const total = g.once(key, () => op.cast(g, op.add(g, lengthOf(g, past, 2), lengthOf(g, q, 1)), "int32"));
  const last = g.once(`${key} last`, () => {
    const one = g.constant("int32", Int32Array.of(1), [1]);
    return g.node("Expand", [op.sub(g, total, one), lengthOf(g, past, 0)], { shape: [past.shape[0] ?? 1] });
  });
  return { last, total: g.once(`${key} total`, () => op.squeeze(g, total, [0])) };
}

function groupQueryAttention(
  g: GraphBuilder,
  { decoder: c }: DiaConfig,
  { q, k, v }: { readonly q: Value; readonly k: Value | undefined; readonly v: Value | undefined },
  past: KeysValues,
  rope: RopeTable,
): Attended {
  const { last, total } = cacheLengths(g, past.k, q);
  const presentShape = past.k.shape.map((d, i) => (i === 2 ? "p1" : d));
  const [output, presentK, presentV] = g.nodes(
    "GroupQueryAttention",
    [q, k, v, past.k, past.v, last, total, rope.cos, rope.sin],
    [
      { dtype: q.dtype, shape: [...q.shape.slice(0, -1), c.num_attention_heads * c.head_dim] },
      { dtype: past.k.dtype, shape: presentShape },
      { dtype: past.v.dtype, shape: presentShape },
    ],
    {
      num_heads: { i: c.num_attention_heads },
      kv_num_heads: { i: c.num_key_value_heads },
      scale: { f: 1 },
      do_rotary: { i: 1 },
      rotary_interleaved: { i: 0 },
    },
    "com.microsoft",
  );
  if (!output || !presentK || !presentV) throw new Error("GroupQueryAttention has three outputs");
  return { output, present: { k: presentK, v: presentV } };
}

function plainAttention(
  g: GraphBuilder,
  { decoder: c }: DiaConfig,
  projected: Projected,
  past: KeysValues,
  rope: RopeTable,
): Attended {
  const { head_dim: dim, num_attention_heads: heads, num_key_value_heads: kvHeads } = c;
  const groups = heads / kvHeads;
  const [rows = 1, length = 1] = projected.q.shape;
  const from = lengthOf(g, past.k, 2);
  const to = op.add(g, from, lengthOf(g, projected.q, 1));
  const cos = op.slice(g, rope.cos, 0, from, to, length);
  const sin = op.slice(g, rope.sin, 0, from, to, length);
  const q = rotate(g, splitHeads(g, projected.q, heads, dim), cos, sin);
  const k = rotate(g, splitHeads(g, projected.k, kvHeads, dim), cos, sin);
  const presentK = op.concat(g, [past.k, k], 2, "p1");
  const presentV = op.concat(g, [past.v, splitHeads(g, projected.v, kvHeads, dim)], 2, "p1");
  const grouped = op.reshape(g, q, [rows, kvHeads, groups, length, dim]);
  const bias = length === 1 ? undefined : causalBias(g, from, to, length);
  const attended = attention(
    g,
    grouped,
    op.unsqueeze(g, presentK, [2]),
    op.unsqueeze(g, presentV, [2]),
    bias,
  );
  const output = mergeHeads(g, op.reshape(g, attended.output, [rows, heads, length, dim]));
  return { output, present: { k: presentK, v: presentV } };
}

/** [S, P + S]: a large negative number where a row would see a later one. */
function causalBias(g: GraphBuilder, from: Value, to: Value, length: Value["shape"][number]): Value {
  const one = g.constant("int64", BigInt64Array.of(1n), []);
  const zero = g.constant("int64", BigInt64Array.of(0n), []);
  const range = (a: Value, b: Value, size: typeof length) =>
    g.node("Range", [op.squeeze(g, a, [0]), op.squeeze(g, b, [0]), one], { dtype: "int64", shape: [size] });
  const keys = range(
    g.once("range start", () => op.unsqueeze(g, zero, [0])),
    to,
    "p1",
  );
  const queries = op.unsqueeze(g, range(from, to, length), [1]);
  const later = g.node("Greater", [keys, queries], { dtype: "bool", shape: [length, "p1"] });
  return op.mul(g, op.cast(g, later, g.dtype), op.floats(g, [-30_000], []));
}

/**
 * Attention to the text; with `head` also that head's weights of the conditional rows' last frame, [B, T].
 * Where it is not fused, `weights` are those of all heads, [2B, heads, S, T].
 */
export function crossAttention(
  g: GraphBuilder,
  { decoder: c }: DiaConfig,
  path: string,
  h: Value,
  kv: CrossKeysValues,
  bias: Value,
  head: number | undefined,
): { output: Value; alignment: Value | undefined; weights?: Value } {
  const heads = c.cross_num_attention_heads;
  const projected = linear(g, h, `${path}.q_proj`);
  // The fused operator takes a bias per query row: one row, so only the steps use it.
  if (kv.flat && h.shape[1] === 1) {
    const output = g.node(
      "MultiHeadAttention",
      [projected, kv.flat.k, kv.flat.v, undefined, undefined, bias],
      {},
      { num_heads: { i: heads }, scale: { f: 1 } },
      "com.microsoft",
    );
    const alignment = head === undefined ? undefined : oneHead(g, c, projected, kv, bias, head);
    return { output: linear(g, output, `${path}.o_proj`), alignment };
  }
  const q = splitHeads(g, projected, heads, c.cross_head_dim);
  const { output, weights } = attention(g, q, kv.k, kv.v, bias);
  const alignment = head === undefined ? undefined : conditional(g, op.slice(g, weights, 1, head, head + 1));
  return { output: linear(g, mergeHeads(g, output), `${path}.o_proj`), alignment, weights };
}

function oneHead(
  g: GraphBuilder,
  c: DiaConfig["decoder"],
  projected: Value,
  kv: KeysValues,
  bias: Value,
  head: number,
): Value {
  const dim = c.cross_head_dim;
  const q = op.unsqueeze(g, op.slice(g, projected, 2, head * dim, (head + 1) * dim), [1]);
  const k = op.slice(g, kv.k, 1, head, head + 1);
  return conditional(g, op.softmax(g, op.add(g, op.matmulTransposed(g, q, k), bias)));
}

/** [2B, 1, S, T] to the last row of the conditional half, [B, T]. */
function conditional(g: GraphBuilder, weights: Value): Value {
  const [half] = op.split(g, weights, 2, 0);
  if (!half) throw new Error("guidance needs two rows per dialogue");
  const last = op.slice(g, half, 2, -1, Number.MAX_SAFE_INTEGER, 1);
  return op.squeeze(g, last, [1, 2]);
}

function lengthOf(g: GraphBuilder, x: Value, axis: number): Value {
  const attributes = { start: { i: axis }, end: { i: axis + 1 } };
  return g.node("Shape", [x], { dtype: "int64", shape: [1] }, attributes);
}

import type { WeightSet } from "../weights/weight-set.ts";
import { GraphBuilder, type OnnxModel, op, type Value } from "./builder/index.ts";
import {
  attention,
  gatedMlp,
  linear,
  mergeHeads,
  type RopeTable,
  repeatHeads,
  rmsNorm,
  ropeTable,
  rotate,
  skipRmsNorm,
  splitHeads,
} from "./dia-blocks.ts";
import type { DiaConfig } from "./dia-config.ts";

const PREFIX = "model.encoder";

/**
 * Text encoder of Dia, and the keys and values that the decoder's cross-attention takes from it.
 *
 * Inputs: `input_ids` int64 [R, T] and `mask` float32 [R, T] (1 where there is text).
 * Outputs: `encoder_hidden` [R, T, d], and with `crossOutputs` also `cross_k`, `cross_v`
 * [layers, R, heads, T, dim], key/value heads already repeated.
 */
export function buildDiaEncoder(
  config: DiaConfig,
  weights: WeightSet,
  options: { dtype?: "float32" | "float16"; crossOutputs?: boolean } = {},
): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: options.dtype ?? "float32" });
  const { encoder: c } = config;
  const ids = g.input("input_ids", "int64", ["R", "T"]);
  const mask = g.input("mask", "float32", ["R", "T"]);
  const bias = maskBias(g, mask);
  const rope = textRope(g, ropeTable(g, c.max_position_embeddings, c.head_dim, c.rope_parameters.rope_theta));

  let x = op.gather(g, g.weight(`${PREFIX}.embedding.weight`), ids);
  let h = rmsNorm(g, x, `${PREFIX}.layers.0.pre_sa_norm`, c.norm_eps);
  for (let layer = 0; layer < c.num_hidden_layers; layer++) {
    const path = `${PREFIX}.layers.${layer}`;
    const attended = selfAttention(g, h, `${path}.self_attention`, c, rope, bias);
    const after = skipRmsNorm(g, attended, x, `${path}.post_sa_norm`, c.norm_eps);
    const next =
      layer + 1 < c.num_hidden_layers ? `${PREFIX}.layers.${layer + 1}.pre_sa_norm` : `${PREFIX}.norm`;
    const fed = gatedMlp(g, after.normed, `${path}.mlp`, c.hidden_act);
    const out = skipRmsNorm(g, fed, after.sum, next, c.norm_eps);
    h = out.normed;
    x = out.sum;
  }
  g.output("encoder_hidden", h);
  if (options.crossOutputs) {
    const cross = crossKeysValues(g, config, h);
    const stack = (values: Value[]) =>
      op.concat(
        g,
        values.map((v) => op.unsqueeze(g, v, [0])),
        0,
      );
    g.output("cross_k", stack(cross.map(({ k }) => k)));
    g.output("cross_v", stack(cross.map(({ v }) => v)));
  }
  return g.build("dia_encoder");
}

/** 0 where there is text, a large negative number elsewhere: [R, 1, 1, T] in the graph's type. */
export function maskBias(g: GraphBuilder, mask: Value): Value {
  const penalty = op.floats(g, [30_000], [], "float32");
  const bias = op.mul(g, op.sub(g, mask, op.floats(g, [1], [], "float32")), penalty);
  return op.cast(g, op.unsqueeze(g, bias, [1, 2]), g.dtype);
}

function textRope(g: GraphBuilder, table: RopeTable): RopeTable {
  const row = (x: Value) => op.slice(g, x, 0, 0, g.size("T"), "T");
  return { cos: row(table.cos), sin: row(table.sin) };
}

function selfAttention(
  g: GraphBuilder,
  h: Value,
  path: string,
  c: DiaConfig["encoder"],
  rope: RopeTable,
  bias: Value,
): Value {
  const heads = c.num_attention_heads;
  const kvHeads = c.num_key_value_heads;
  const project = (name: string, n: number) => splitHeads(g, linear(g, h, `${path}.${name}`), n, c.head_dim);
  const q = rotate(g, project("q_proj", heads), rope.cos, rope.sin);
  const k = rotate(g, project("k_proj", kvHeads), rope.cos, rope.sin);
  const repeat = (x: Value) => repeatHeads(g, x, heads / kvHeads);
  const { output } = attention(g, q, repeat(k), repeat(project("v_proj", kvHeads)), bias);
  return linear(g, mergeHeads(g, output), `${path}.o_proj`);
}

/** Keys and values of every decoder layer's cross-attention, [R, heads, T, dim]. */
export function crossKeysValues(
  g: GraphBuilder,
  config: DiaConfig,
  encoded: Value,
): { k: Value; v: Value }[] {
  const c = config.decoder;
  const groups = c.cross_num_attention_heads / c.cross_num_key_value_heads;
  return Array.from({ length: c.num_hidden_layers }, (_, layer) => {
    const project = (name: string) => {
      const path = `model.decoder.layers.${layer}.cross_attention.${name}`;
      const heads = splitHeads(g, linear(g, encoded, path), c.cross_num_key_value_heads, c.cross_head_dim);
      return repeatHeads(g, heads, groups);
    };
    return { k: project("k_proj"), v: project("v_proj") };
  });
}

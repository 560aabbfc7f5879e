import { type GraphBuilder, op, type Value } from "./builder/index.ts";
import { gatedMlp, mergeHeads, rmsNorm, ropeTable, skipRmsNorm } from "./dia-blocks.ts";
import {
  type CrossKeysValues,
  cachedSelfAttention,
  crossAttention,
  type KeysValues,
  packedProjection,
  type SelfAttentionKind,
  takesGroupQuery,
} from "./dia-cached-attention.ts";
import type { DiaConfig } from "./dia-config.ts";
import { usesNativeLoop } from "./dia-native.ts";

/** Operator choices of a device. */
export interface DiaTarget {
  readonly dtype: "float32" | "float16";
  readonly selfAttention: SelfAttentionKind;
  /** Where cross-attention's keys and values come from: fed by the host, or computed once per run. */
  readonly cross: "fed" | "projected";
  /** `mha` fuses cross-attention into one contrib operator. */
  readonly crossAttention: "plain" | "mha";
  /** Queries, keys and values from one product. */
  readonly packedProjections?: boolean;
  /** The gated feed-forward's elementwise part as one of the own operators (gpu-pool/native). */
  readonly nativeGate?: boolean;
  /** All frames of a run as one own operator, where it takes the model; float16 only. */
  readonly nativeLoop?: boolean;
}

export const DIA_CPU: DiaTarget = {
  dtype: "float32",
  selfAttention: "gqa",
  cross: "fed",
  crossAttention: "plain",
};
export const DIA_CUDA: DiaTarget = {
  dtype: "float16",
  selfAttention: "gqa",
  cross: "projected",
  crossAttention: "mha",
  packedProjections: true,
};

/** float32 on a GPU, where the fused attention takes half precision only: for comparisons. */
export const DIA_CUDA_FLOAT32: DiaTarget = {
  dtype: "float32",
  selfAttention: "plain",
  cross: "projected",
  crossAttention: "plain",
};

export interface AlignmentHead {
  readonly layer: number;
  readonly head: number;
}

/** How rows attend to the text, for models without a known alignment head. */
export interface Reading {
  /** Mean position in the text per layer and head, float32 [layers * heads, B, S]. */
  readonly positions: Value;
  /** Attention of the chosen heads, float32 [B, S, T]. */
  readonly attention: Value;
}

/** What the layers make of some rows. */
export interface Frame {
  readonly hidden: Value;
  readonly present: KeysValues[];
  readonly alignment: Value | undefined;
  readonly reading: Reading | undefined;
}

/** The stack of decoder layers, applied to rows of tokens in any (sub)graph. */
export class DecoderLayers {
  readonly #config: DiaConfig;
  readonly #target: DiaTarget;
  readonly #cross: CrossKeysValues[];
  readonly #bias: Value;
  readonly #alignmentHead: AlignmentHead | undefined;
  readonly #rope: ReturnType<typeof ropeTable>;
  readonly #embedding: Value;
  readonly #packed: readonly (Value | undefined)[];

  constructor(
    config: DiaConfig,
    target: DiaTarget,
    cross: KeysValues[],
    bias: Value,
    alignmentHead: AlignmentHead | undefined,
    g: GraphBuilder,
  ) {
    const c = config.decoder;
    this.#config = config;
    this.#target = target;
    // Fused attention wants [R, T, heads * dim]: brought there once per run, outside the loop. The own loop takes weights,
    // keys and values as they lie.
    const own = usesNativeLoop(config, target);
    const fused = target.crossAttention === "mha" && !own;
    this.#cross = cross.map(({ k, v }) => ({
      k,
      v,
      flat: fused ? { k: mergeHeads(g, k), v: mergeHeads(g, v) } : undefined,
    }));
    this.#bias = bias;
    this.#alignmentHead = alignmentHead;
    this.#rope = ropeTable(g, c.max_position_embeddings, c.head_dim, c.rope_parameters.rope_theta);
    this.#embedding = g.weight("model.decoder.embeddings.embed.weight");
    // Outside the loop, where the joined weights become constants.
    const packs = target.packedProjections && !own && takesGroupQuery(target.selfAttention, config);
    this.#packed = cross.map((_, layer) =>
      packs ? packedProjection(g, `model.decoder.layers.${layer}.self_attention`) : undefined,
    );
  }

  /**
   * @param tokens int64 [B, S, C]; the result's `hidden` is [2B, S, d], already normed
   * @param headWeights float32 [layers, heads]: which heads the result's `reading` is made of
   */
  run(g: GraphBuilder, tokens: Value, past: readonly KeysValues[], headWeights?: Value): Frame {
    const c = this.#config.decoder;
    const length = tokens.shape[1] ?? 1;
    const path = (layer: number) => `model.decoder.layers.${layer}`;
    const offsets = Array.from({ length: c.num_channels }, (_, channel) => BigInt(channel * c.vocab_size));
    const ids = op.add(g, tokens, g.constant("int64", BigInt64Array.from(offsets), [c.num_channels]));
    const embedded = op.reduce(g, "ReduceSum", op.gather(g, this.#embedding, ids), [2], false);
    let x: Value = { ...op.concat(g, [embedded, embedded], 0), shape: ["2*B", length, c.hidden_size] };
    let h = rmsNorm(g, x, `${path(0)}.pre_sa_norm`, c.norm_eps);
    const present: KeysValues[] = [];
    let alignment: Value | undefined;
    const observed: Value[] = [];
    for (const [layer, kv] of past.entries()) {
      const rope = this.#rope;
      const self = cachedSelfAttention(
        g,
        this.#config,
        this.#target.selfAttention,
        `${path(layer)}.self_attention`,
        h,
        kv,
        rope,
        this.#packed[layer],
      );
      present.push(self.present);
      const afterSelf = skipRmsNorm(g, self.output, x, `${path(layer)}.pre_ca_norm`, c.norm_eps);
      const crossKv = this.#cross[layer];
      if (!crossKv) throw new Error(`no cross-attention for layer ${layer}`);
      const head = this.#alignmentHead?.layer === layer ? this.#alignmentHead.head : undefined;
      const crossed = crossAttention(
        g,
        this.#config,
        `${path(layer)}.cross_attention`,
        afterSelf.normed,
        crossKv,
        this.#bias,
        head,
      );
      alignment = crossed.alignment ?? alignment;
      if (headWeights && crossed.weights) observed.push(crossed.weights);
      const afterCross = skipRmsNorm(
        g,
        crossed.output,
        afterSelf.sum,
        `${path(layer)}.pre_mlp_norm`,
        c.norm_eps,
      );
      const fed = gatedMlp(g, afterCross.normed, `${path(layer)}.mlp`, c.hidden_act, this.#target.nativeGate);
      const next = layer + 1 < c.num_hidden_layers ? `${path(layer + 1)}.pre_sa_norm` : "model.decoder.norm";
      const out = skipRmsNorm(g, fed, afterCross.sum, next, c.norm_eps);
      h = out.normed;
      x = out.sum;
    }
    const reading = headWeights ? readingOf(g, observed, headWeights) : undefined;
    return { hidden: h, present, alignment, reading };
  }
}

/** @param weights per layer, [2B, heads, S, T] */
function readingOf(g: GraphBuilder, weights: readonly Value[], headWeights: Value): Reading {
  const positions: Value[] = [];
  let attention: Value | undefined;
  const zero = g.constant("int64", BigInt64Array.of(0n), []);
  const one = g.constant("int64", BigInt64Array.of(1n), []);
  const range = g.node("Range", [zero, op.squeeze(g, g.size("T"), [0]), one], {
    dtype: "int64",
    shape: ["T"],
  });
  const column = op.unsqueeze(g, op.cast(g, range, "float32"), [1]);
  for (const [layer, all] of weights.entries()) {
    const [conditional] = op.split(g, all, 2, 0);
    if (!conditional) throw new Error("guidance needs two rows per dialogue");
    const heads = op.transpose(g, op.cast(g, conditional, "float32"), [1, 0, 2, 3]);
    positions.push(op.squeeze(g, op.matmul(g, heads, column), [3]));
    const share = op.squeeze(g, op.slice(g, headWeights, 0, layer, layer + 1), [0]);
    const weighted = op.mul(g, heads, op.unsqueeze(g, share, [1, 2, 3]));
    const sum = op.reduce(g, "ReduceSum", weighted, [0], false);
    attention = attention ? op.add(g, attention, sum) : sum;
  }
  if (!attention) throw new Error("no layer was observed");
  return { positions: op.concat(g, positions, 0), attention };
}

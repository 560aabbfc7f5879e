import { type GraphBuilder, op, type Value } from "./builder/index.ts";
import { gatedMlp, mergeHeads, rmsNorm, ropeTable, skipRmsNorm } from "./dia-blocks.ts";
import {
  type CrossKeysValues,
  cachedSelfAttention,
  crossAttention,
  type KeysValues,
  type SelfAttentionKind,
} from "./dia-cached-attention.ts";
import type { DiaConfig } from "./dia-config.ts";

/** Operator choices of a device. */
export interface DiaTarget {
  readonly dtype: "float32" | "float16";
  readonly selfAttention: SelfAttentionKind;
  /** Where cross-attention's keys and values come from: fed by the host, or computed once per run. */
  readonly cross: "fed" | "projected";
  /** `mha` fuses cross-attention into one contrib operator. */
  readonly crossAttention: "plain" | "mha";
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

/** What the layers make of some rows. */
export interface Frame {
  readonly hidden: Value;
  readonly present: KeysValues[];
  readonly alignment: Value | undefined;
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
    // Fused attention wants [R, T, heads * dim]: brought there once per run, outside the loop.
    const fused = target.crossAttention === "mha";
    this.#cross = cross.map(({ k, v }) => ({
      k,
      v,
      flat: fused ? { k: mergeHeads(g, k), v: mergeHeads(g, v) } : undefined,
    }));
    this.#bias = bias;
    this.#alignmentHead = alignmentHead;
    this.#rope = ropeTable(g, c.max_position_embeddings, c.head_dim, c.rope_parameters.rope_theta);
    this.#embedding = g.weight("model.decoder.embeddings.embed.weight");
  }

  /** @param tokens int64 [B, S, C]; the result's `hidden` is [2B, S, d], already normed */
  run(g: GraphBuilder, tokens: Value, past: readonly KeysValues[]): Frame {
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
      const afterCross = skipRmsNorm(
        g,
        crossed.output,
        afterSelf.sum,
        `${path(layer)}.pre_mlp_norm`,
        c.norm_eps,
      );
      const fed = gatedMlp(g, afterCross.normed, `${path(layer)}.mlp`, c.hidden_act);
      const next = layer + 1 < c.num_hidden_layers ? `${path(layer + 1)}.pre_sa_norm` : "model.decoder.norm";
      const out = skipRmsNorm(g, fed, afterCross.sum, next, c.norm_eps);
      h = out.normed;
      x = out.sum;
    }
    return { hidden: h, present, alignment };
  }
}

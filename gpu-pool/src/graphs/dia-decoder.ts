import type { WeightSet } from "../weights/weight-set.ts";
import { GraphBuilder, type OnnxModel, op, type Value } from "./builder/index.ts";
import { gatedMlp, linear, mergeHeads, rmsNorm, ropeTable, skipRmsNorm } from "./dia-blocks.ts";
import {
  type CrossKeysValues,
  cachedSelfAttention,
  crossAttention,
  type KeysValues,
  type SelfAttentionKind,
} from "./dia-cached-attention.ts";
import type { DiaConfig } from "./dia-config.ts";
import { crossKeysValues, maskBias } from "./dia-encoder.ts";
import { applyEnding, sampleFrame } from "./dia-sampler.ts";

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

/** State that goes from frame to frame. */
interface Frame {
  readonly hidden: Value;
  readonly present: KeysValues[];
  readonly alignment: Value | undefined;
}

/**
 * Dia's decoder as one graph that makes `n` frames per run: prompt rows first (none when `prompt` is empty),
 * then a Loop whose body runs the layers, applies guidance, draws the tokens and ends the dialogue. Keys and
 * values stay on the device within a run; only the new ones go back to the host.
 *
 * B dialogues, each with a conditional and an unconditional row, all conditional rows first (R = 2B).
 * Inputs: `n` int64 []; `prompt` int64 [B, S, C] (rows before `tok`); `tok` int64 [B, C] (the last row);
 * `ending` int64 [B] (-1, or frames since channel 0 ended); `past_k`, `past_v` [layers, R, kv, P, dim];
 * `mask` float32 [R, T]; `cross_k`, `cross_v` [layers, R, heads, T, dim] or `encoder_hidden` [R, T, d];
 * `forced` int64 [N, B, C] (-1 = free); `gumbel` float32 [N, B, C, K]; `params` float32 [3, B] (guidance
 * scale, 1 / temperature, top-p).
 * Outputs: `tokens` int64 [n', B, C] with n' <= n (fewer when every dialogue has ended), `ended` int64 [B],
 * `new_k`, `new_v` [layers, R, kv, S + n', dim], and with an alignment head `alignment` [n', B, T]: how much
 * each frame attends to each byte of the text. `options.logits` adds `logits` [n', 2, B, C, V].
 */
export function buildDiaDecoder(
  config: DiaConfig,
  weights: WeightSet,
  target: DiaTarget,
  options: { alignmentHead?: AlignmentHead | undefined; logits?: boolean } = {},
): OnnxModel {
  const { alignmentHead } = options;
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const { decoder: c } = config;
  const layers = c.num_hidden_layers;
  const kvShape = (length: string) => [layers, "2*B", c.num_key_value_heads, length, c.head_dim];
  const n = g.input("n", "int64", []);
  const prompt = g.input("prompt", "int64", ["B", "S", c.num_channels]);
  const tok = g.input("tok", "int64", ["B", c.num_channels]);
  const ending = g.input("ending", "int64", ["B"]);
  const pastK = unstack(g, g.input("past_k", target.dtype, kvShape("P")));
  const pastV = unstack(g, g.input("past_v", target.dtype, kvShape("P")));
  const bias = maskBias(g, g.input("mask", "float32", ["2*B", "T"]));
  const cross = crossInputs(g, config, target);
  const forced = g.input("forced", "int64", ["N", "B", c.num_channels]);
  const gumbel = g.input("gumbel", "float32", ["N", "B", c.num_channels, "K"]);
  const params = op
    .split(g, g.input("params", "float32", [3, "B"]), 3, 0)
    .map((row) => op.reshape(g, row, ["B", 1, 1]));
  const topK = g.size("K");
  const decoder = new DecoderLayers(config, target, cross, bias, alignmentHead, g);

  const past = pastK.map((k, layer) => ({ k, v: valueAt(pastV, layer) }));
  const start = prefill(g, config, decoder, prompt, past);
  const kv = start.flatMap(({ k, v }) => [k, v]);
  const body = g.subgraph((b) => {
    const step = b.input("step", "int64", []);
    b.input("keep_going", "bool", []);
    const bodyTok = b.input("frame", "int64", ["B", c.num_channels]);
    const bodyEnding = b.input("frame_ending", "int64", ["B"]);
    const carried = start.map(({ k, v }, layer) => ({
      k: b.input(`k_${layer}`, target.dtype, grown(k, "p")),
      v: b.input(`v_${layer}`, target.dtype, grown(v, "p")),
    }));
    const row = (x: Value) => op.squeeze(b, op.gather(b, x, op.unsqueeze(b, step, [0])), [0]);
    const frame = decoder.run(b, op.unsqueeze(b, bodyTok, [1]), carried);
    const [cond, uncond] = guidanceHalves(b, config, frame.hidden);
    const [guidance, inverseTemperature, topP] = [valueAt(params, 0), valueAt(params, 1), valueAt(params, 2)];
    const drawn = sampleFrame(b, config, {
      cond,
      uncond,
      forced: row(forced),
      gumbel: row(gumbel),
      topK,
      guidance,
      inverseTemperature,
      topP,
    });
    const end = applyEnding(b, config, drawn, bodyEnding);
    b.output("more", end.more);
    b.output("next_frame", end.tokens);
    b.output("next_ending", end.ending);
    for (const [layer, { k, v }] of frame.present.entries()) {
      b.output(`next_k_${layer}`, k);
      b.output(`next_v_${layer}`, v);
    }
    b.output("frame_tokens", end.tokens);
    if (frame.alignment) b.output("frame_alignment", frame.alignment);
    if (options.logits) {
      const halves = [cond, uncond].map((half) => op.unsqueeze(b, half, [0]));
      b.output("frame_logits", op.concat(b, halves, 0));
    }
  });

  const always = g.constant("bool", Uint8Array.of(1), []);
  const outputs = [
    tok,
    ending,
    ...kv.map((x) => ({ dtype: x.dtype, shape: grown(x, "Q") })),
    { dtype: "int64" as const, shape: ["M", "B", c.num_channels] },
    ...(alignmentHead ? [{ dtype: target.dtype, shape: ["M", "B", "T"] }] : []),
    ...(options.logits
      ? [{ dtype: "float32" as const, shape: ["M", 2, "B", c.num_channels, c.vocab_size] }]
      : []),
  ];
  const results = g.nodes("Loop", [n, always, tok, ending, ...kv], outputs, { body: { graph: body } });
  g.output("tokens", valueAt(results, 2 + kv.length));
  g.output("ended", valueAt(results, 1));
  const fresh = results.slice(2, 2 + kv.length).map((x) => {
    const added = op.slice(g, x, 2, g.size("P"), g.int64s([Number.MAX_SAFE_INTEGER]), "S+M");
    return op.unsqueeze(g, added, [0]);
  });
  const everyOther = (offset: number) =>
    op.concat(
      g,
      fresh.filter((_, i) => i % 2 === offset),
      0,
    );
  g.output("new_k", everyOther(0));
  g.output("new_v", everyOther(1));
  if (alignmentHead) g.output("alignment", op.cast(g, valueAt(results, 3 + kv.length), "float32"));
  if (options.logits) g.output("logits", valueAt(results, results.length - 1));
  return g.build("dia_decoder");
}

/** Keys and values after the prompt's rows; the past as it came when there are none. */
function prefill(
  g: GraphBuilder,
  config: DiaConfig,
  decoder: DecoderLayers,
  prompt: Value,
  past: KeysValues[],
): KeysValues[] {
  const hasPrompt = g.node(
    "Greater",
    [op.squeeze(g, g.size("S"), [0]), g.constant("int64", BigInt64Array.of(0n), [])],
    {
      dtype: "bool",
      shape: [],
    },
  );
  const emit = (b: GraphBuilder, present: KeysValues[]) => {
    for (const [layer, { k, v }] of present.entries()) {
      b.output(b.freshName(`k_${layer}`), k);
      b.output(b.freshName(`v_${layer}`), v);
    }
  };
  const withPrompt = g.subgraph((b) => emit(b, decoder.run(b, prompt, past).present));
  const without = g.subgraph((b) => emit(b, past));
  const outputs = past.flatMap(({ k, v }) => [
    { dtype: k.dtype, shape: grown(k, "P0") },
    { dtype: v.dtype, shape: grown(v, "P0") },
  ]);
  const attributes = { then_branch: { graph: withPrompt }, else_branch: { graph: without } };
  const results = g.nodes("If", [hasPrompt], outputs, attributes);
  return Array.from({ length: config.decoder.num_hidden_layers }, (_, layer) => ({
    k: valueAt(results, 2 * layer),
    v: valueAt(results, 2 * layer + 1),
  }));
}

/** The stack of decoder layers, applied to rows of tokens in any (sub)graph. */
class DecoderLayers {
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

/** Conditional and unconditional logits of the last row, float32 [B, C, V] each. */
function guidanceHalves(g: GraphBuilder, config: DiaConfig, hidden: Value): [Value, Value] {
  const c = config.decoder;
  const logits = op.cast(g, linear(g, hidden, "logits_dense"), "float32");
  const shaped = op.reshape(g, logits, ["2*B", c.num_channels, c.vocab_size]);
  const [cond, uncond] = op.split(g, shaped, 2, 0);
  if (!cond || !uncond) throw new Error("guidance needs two rows per dialogue");
  return [cond, uncond];
}

function crossInputs(g: GraphBuilder, config: DiaConfig, target: DiaTarget): KeysValues[] {
  const c = config.decoder;
  if (target.cross === "projected") {
    const encoded = g.input("encoder_hidden", target.dtype, ["2*B", "T", c.cross_hidden_size]);
    return crossKeysValues(g, config, encoded);
  }
  const shape = [c.num_hidden_layers, "2*B", c.cross_num_attention_heads, "T", c.cross_head_dim];
  const k = unstack(g, g.input("cross_k", target.dtype, shape));
  const v = unstack(g, g.input("cross_v", target.dtype, shape));
  return k.map((key, layer) => ({ k: key, v: valueAt(v, layer) }));
}

/** Takes the first axis apart. */
function unstack(g: GraphBuilder, x: Value): Value[] {
  const count = Number(x.shape[0]);
  const parts = count === 1 ? [x] : op.split(g, x, count, 0);
  return parts.map((part) => op.squeeze(g, part, [0]));
}

function grown(x: Value, length: string): Value["shape"] {
  return x.shape.map((d, i) => (i === 2 ? length : d));
}

function valueAt(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (!value) throw new Error(`no value at ${index}`);
  return value;
}

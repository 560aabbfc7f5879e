import { NATIVE_DOMAIN } from "./builder/encode.ts";
import { type GraphBuilder, op, type Value } from "./builder/index.ts";
import { ropeAngles } from "./dia-blocks.ts";
import type { KeysValues } from "./dia-cached-attention.ts";
import type { DiaConfig } from "./dia-config.ts";
import type { AlignmentHead, DiaTarget } from "./dia-layers.ts";

/** Head sizes and heads per key/value head that the kernels of gpu-pool/native/dia-kernels.cuh are made for. */
const HEAD_SIZES = [16, 32, 64, 128];
const CROSS_HEAD_SIZES = [8, ...HEAD_SIZES];
const GROUPS = [1, 2, 4, 5];
const MAX_LAYERS = 64;

/** Whether DiaDecode takes the model. */
export function fitsNativeLoop({ decoder: c }: DiaConfig): boolean {
  return (
    c.hidden_act === "silu" &&
    c.hidden_size % 16 === 0 &&
    c.intermediate_size % 8 === 0 &&
    c.num_hidden_layers <= MAX_LAYERS &&
    HEAD_SIZES.includes(c.head_dim) &&
    CROSS_HEAD_SIZES.includes(c.cross_head_dim) &&
    GROUPS.includes(c.num_attention_heads / c.num_key_value_heads)
  );
}

/** Whether the decoder's frames are made by the own operator. */
export function usesNativeLoop(config: DiaConfig, target: DiaTarget): boolean {
  return target.nativeLoop === true && target.dtype === "float16" && fitsNativeLoop(config);
}

export interface NativeLoopInputs {
  readonly n: Value;
  readonly prompt: Value;
  readonly tok: Value;
  readonly ending: Value;
  readonly mask: Value;
  readonly forced: Value;
  readonly gumbel: Value;
  readonly params: Value;
}

export interface NativeLoopOutputs {
  readonly tokens: Value;
  readonly ended: Value;
  readonly newK: Value;
  readonly newV: Value;
  readonly alignment: Value;
  readonly logits: Value;
}

/**
 * The frames of a run as the own operator DiaDecode, instead of a Loop: the same inputs and outputs, the weights as
 * they lie, and `cache` int64 [5]: a number by which the operator keeps keys and values until the next run (0: it keeps
 * none; with a number, no keys and values come back), how many rows it must still have under that number, and zeros.
 *
 * A row's frames are the same in any company, what ONNX Runtime makes of its prompt and text is not. So dialogues that
 * run together are opened one by one before: runs of no frames, in which `cache` ends with the index of the dialogue, how
 * many there are, and the length of the longest text. After that the operator has their texts as well and looks at `mask`
 * alone: `encoder_hidden` may be one byte long.
 * @param cross keys and values of the text, [R, heads, T, dim]
 * @param start keys and values after the prompt's rows, [R, kv heads, P, dim]
 */
export function nativeFrameLoop(
  g: GraphBuilder,
  config: DiaConfig,
  inputs: NativeLoopInputs,
  cross: readonly KeysValues[],
  start: readonly KeysValues[],
  { alignmentHead, logits }: { alignmentHead: AlignmentHead | undefined; logits: boolean },
): NativeLoopOutputs {
  const c = config.decoder;
  const cache = g.input("cache", "int64", [5]);
  const angles = ropeAngles(c.max_position_embeddings, c.head_dim, c.rope_parameters.rope_theta);
  const table = (values: Float32Array) =>
    op.floats(g, values, [c.max_position_embeddings, c.head_dim / 2], "float32");
  const layers = start.flatMap((past, layer) => layerInputs(g, layer, cross[layer], past));
  const nodeInputs = [
    inputs.n,
    cache,
    inputs.prompt,
    inputs.tok,
    inputs.ending,
    inputs.mask,
    inputs.forced,
    inputs.gumbel,
    inputs.params,
    g.int64s(config.delays),
    table(angles.cos),
    table(angles.sin),
    g.weight("model.decoder.embeddings.embed.weight"),
    g.weight("model.decoder.norm.weight"),
    g.weight("logits_dense.weight"),
    ...layers,
  ];
  const rows = [c.num_hidden_layers, "2*B", c.num_key_value_heads, "S+M", c.head_dim];
  const outputs = [
    { dtype: "int64", shape: ["M", "B", c.num_channels] },
    { dtype: "int64", shape: ["B"] },
    { dtype: "float16", shape: rows },
    { dtype: "float16", shape: rows },
    { dtype: "float32", shape: ["A", "B", "T"] },
    { dtype: "float32", shape: ["L", 2, "B", c.num_channels, c.vocab_size] },
  ] as const;
  const attributes = {
    epsilon: { f: c.norm_eps },
    layers: { i: c.num_hidden_layers },
    heads: { i: c.num_attention_heads },
    kv_heads: { i: c.num_key_value_heads },
    cross_heads: { i: c.cross_num_attention_heads },
    eos: { i: config.tokens.eos },
    pad: { i: config.tokens.pad },
    max_delay: { i: config.maxDelay },
    alignment_layer: { i: alignmentHead?.layer ?? -1 },
    alignment_head: { i: alignmentHead?.head ?? -1 },
    logits: { i: logits ? 1 : 0 },
  };
  const made = g.nodes("DiaDecode", nodeInputs, outputs, attributes, NATIVE_DOMAIN);
  const [tokens, ended, newK, newV, alignment, allLogits] = made;
  if (!tokens || !ended || !newK || !newV || !alignment || !allLogits)
    throw new Error("DiaDecode has six outputs");
  return { tokens, ended, newK, newV, alignment, logits: allLogits };
}

function layerInputs(
  g: GraphBuilder,
  layer: number,
  cross: KeysValues | undefined,
  past: KeysValues,
): Value[] {
  if (!cross) throw new Error(`no cross-attention for layer ${layer}`);
  const weight = (name: string) => g.weight(`model.decoder.layers.${layer}.${name}.weight`);
  const self = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => weight(`self_attention.${name}`));
  return [
    weight("pre_sa_norm"),
    ...self,
    weight("pre_ca_norm"),
    weight("cross_attention.q_proj"),
    weight("cross_attention.o_proj"),
    weight("pre_mlp_norm"),
    weight("mlp.gate_up_proj"),
    weight("mlp.down_proj"),
    cross.k,
    cross.v,
    past.k,
    past.v,
  ];
}

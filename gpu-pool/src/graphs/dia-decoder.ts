import type { WeightSet } from "../weights/weight-set.ts";
import { GraphBuilder, type OnnxModel, op, type SubGraph, type Value } from "./builder/index.ts";
import { linear } from "./dia-blocks.ts";
import type { KeysValues } from "./dia-cached-attention.ts";
import type { DiaConfig } from "./dia-config.ts";
import { crossKeysValues, maskBias } from "./dia-encoder.ts";
import { type AlignmentHead, DecoderLayers, type DiaTarget, type Reading } from "./dia-layers.ts";
import { nativeFrameLoop, usesNativeLoop } from "./dia-native.ts";
import { applyEnding, sampleFrame } from "./dia-sampler.ts";

export interface DiaDecoderOptions {
  readonly alignmentHead?: AlignmentHead | undefined;
  readonly logits?: boolean;
  /** Tell how the prompt's rows attend to the text: for models without a known alignment head. */
  readonly reading?: boolean;
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
 * `options.reading` adds the input `head_weights` float32 [layers, heads] and the outputs `reading_positions`
 * [layers * heads, B, S] and `reading_attention` [B, S, T] of the prompt's rows, see {@link Reading}.
 * With the own operators the loop is DiaDecode and there is one more input, `cache` ({@link nativeFrameLoop}).
 */
export function buildDiaDecoder(
  config: DiaConfig,
  weights: WeightSet,
  target: DiaTarget,
  options: DiaDecoderOptions = {},
): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const { num_channels: channels, vocab_size: vocab } = config.decoder;
  const inputs = declareInputs(g, config, target);
  const bias = maskBias(g, inputs.mask);
  const cross = crossInputs(g, config, target);
  const decoder = new DecoderLayers(config, target, cross, bias, options.alignmentHead, g);
  const { decoder: c } = config;
  const headWeights = options.reading
    ? g.input("head_weights", "float32", [c.num_hidden_layers, c.cross_num_attention_heads])
    : undefined;
  const { start, reading } = prefill(g, config, decoder, inputs, headWeights);
  if (reading) {
    g.output("reading_positions", reading.positions);
    g.output("reading_attention", reading.attention);
  }
  if (usesNativeLoop(config, target)) {
    const { alignmentHead, logits = false } = options;
    const made = nativeFrameLoop(g, config, inputs, cross, start, { alignmentHead, logits });
    g.output("tokens", made.tokens);
    g.output("ended", made.ended);
    g.output("new_k", made.newK);
    g.output("new_v", made.newV);
    if (alignmentHead) g.output("alignment", made.alignment);
    if (logits) g.output("logits", made.logits);
    return g.build("dia_decoder");
  }
  const kv = flatten(start);
  const body = frameLoop(g, config, { inputs, decoder, start, logits: options.logits === true });

  const always = g.constant("bool", Uint8Array.of(1), []);
  const outputs = [
    inputs.tok,
    inputs.ending,
    ...kv.map((x) => ({ dtype: x.dtype, shape: grown(x, "Q") })),
    { dtype: "int64" as const, shape: ["M", "B", channels] },
    ...(options.alignmentHead ? [{ dtype: target.dtype, shape: ["M", "B", "T"] }] : []),
    ...(options.logits ? [{ dtype: "float32" as const, shape: ["M", 2, "B", channels, vocab] }] : []),
  ];
  const carried = [inputs.n, always, inputs.tok, inputs.ending, ...kv];
  const results = g.nodes("Loop", carried, outputs, { body: { graph: body } });
  g.output("tokens", valueAt(results, 2 + kv.length));
  g.output("ended", valueAt(results, 1));
  outputNewRows(g, results.slice(2, 2 + kv.length));
  if (options.alignmentHead) g.output("alignment", op.cast(g, valueAt(results, 3 + kv.length), "float32"));
  if (options.logits) g.output("logits", valueAt(results, results.length - 1));
  return g.build("dia_decoder");
}

type DecoderInputs = ReturnType<typeof declareInputs>;

function declareInputs(g: GraphBuilder, config: DiaConfig, target: DiaTarget) {
  const {
    num_channels: channels,
    num_hidden_layers: layers,
    num_key_value_heads: heads,
    head_dim: dim,
  } = config.decoder;
  const past = (name: string) => unstack(g, g.input(name, target.dtype, [layers, "2*B", heads, "P", dim]));
  const n = g.input("n", "int64", []);
  const prompt = g.input("prompt", "int64", ["B", "S", channels]);
  const tok = g.input("tok", "int64", ["B", channels]);
  const ending = g.input("ending", "int64", ["B"]);
  const pastK = past("past_k");
  const pastV = past("past_v");
  const mask = g.input("mask", "float32", ["2*B", "T"]);
  const forced = g.input("forced", "int64", ["N", "B", channels]);
  const gumbel = g.input("gumbel", "float32", ["N", "B", channels, "K"]);
  const params = g.input("params", "float32", [3, "B"]);
  const [guidance, inverseTemperature, topP] = op
    .split(g, params, 3, 0)
    .map((row) => op.reshape(g, row, ["B", 1, 1]));
  if (!guidance || !inverseTemperature || !topP) throw new Error("params has three rows");
  return {
    n,
    prompt,
    tok,
    ending,
    past: pastK.map((k, layer) => ({ k, v: valueAt(pastV, layer) })),
    mask,
    forced,
    gumbel,
    params,
    sampling: { guidance, inverseTemperature, topP, topK: g.size("K") },
  };
}

interface LoopParts {
  readonly inputs: DecoderInputs;
  readonly decoder: DecoderLayers;
  readonly start: readonly KeysValues[];
  readonly logits: boolean;
}

/** Body of the loop: one frame. */
function frameLoop(
  g: GraphBuilder,
  config: DiaConfig,
  { inputs, decoder, start, logits }: LoopParts,
): SubGraph {
  return g.subgraph((b) => {
    const step = b.input("step", "int64", []);
    b.input("keep_going", "bool", []);
    const tok = b.input("frame", "int64", ["B", config.decoder.num_channels]);
    const ending = b.input("frame_ending", "int64", ["B"]);
    const past = start.map(({ k, v }, layer) => ({
      k: b.input(`k_${layer}`, k.dtype, grown(k, "p")),
      v: b.input(`v_${layer}`, v.dtype, grown(v, "p")),
    }));
    const row = (x: Value) => op.squeeze(b, op.gather(b, x, op.unsqueeze(b, step, [0])), [0]);
    const frame = decoder.run(b, op.unsqueeze(b, tok, [1]), past);
    const [cond, uncond] = guidanceHalves(b, config, frame.hidden);
    const noise = { forced: row(inputs.forced), gumbel: row(inputs.gumbel) };
    const drawn = sampleFrame(b, config, { cond, uncond, ...noise, ...inputs.sampling });
    const end = applyEnding(b, config, drawn, ending);
    b.output("more", end.more);
    b.output("next_frame", end.tokens);
    b.output("next_ending", end.ending);
    for (const [layer, { k, v }] of frame.present.entries()) {
      b.output(`next_k_${layer}`, k);
      b.output(`next_v_${layer}`, v);
    }
    b.output("frame_tokens", end.tokens);
    if (frame.alignment) b.output("frame_alignment", frame.alignment);
    if (logits) {
      const halves = [cond, uncond].map((half) => op.unsqueeze(b, half, [0]));
      b.output("frame_logits", op.concat(b, halves, 0));
    }
  });
}

/** `new_k` and `new_v` from the loop's keys and values, which alternate by layer. */
function outputNewRows(g: GraphBuilder, kv: readonly Value[]): void {
  const fresh = kv.map((x) => {
    const added = op.slice(g, x, 2, g.size("P"), g.int64s([Number.MAX_SAFE_INTEGER]), "S+M");
    return op.unsqueeze(g, added, [0]);
  });
  const keys = fresh.filter((_, i) => i % 2 === 0);
  const values = fresh.filter((_, i) => i % 2 === 1);
  g.output("new_k", op.concat(g, keys, 0));
  g.output("new_v", op.concat(g, values, 0));
}

/** Keys and values after the prompt's rows; the past as it came when there are none. */
function prefill(
  g: GraphBuilder,
  config: DiaConfig,
  decoder: DecoderLayers,
  { prompt, past }: DecoderInputs,
  headWeights: Value | undefined,
): { start: KeysValues[]; reading: Reading | undefined } {
  const { num_hidden_layers: layers, cross_num_attention_heads: heads } = config.decoder;
  const bool = { dtype: "bool" as const, shape: [] };
  const none = g.constant("int64", BigInt64Array.of(0n), []);
  const hasPrompt = g.node("Greater", [op.squeeze(g, g.size("S"), [0]), none], bool);
  const readingShapes = headWeights ? [[layers * heads, "B", "S"] as const, ["B", "S", "T"] as const] : [];
  const withPrompt = g.subgraph((b) => {
    const { present, reading } = decoder.run(b, prompt, past, headWeights);
    emit(b, [...flatten(present), ...(reading ? [reading.positions, reading.attention] : [])]);
  });
  const without = g.subgraph((b) => {
    const empty = readingShapes.map((shape) =>
      b.node("ConstantOfShape", [g.shapeTensor(shape)], { dtype: "float32", shape }),
    );
    emit(b, [...flatten(past), ...empty]);
  });
  const outputs = [
    ...flatten(past).map((x) => ({ dtype: x.dtype, shape: grown(x, "P0") })),
    ...readingShapes.map((shape) => ({ dtype: "float32" as const, shape })),
  ];
  const branches = { then_branch: { graph: withPrompt }, else_branch: { graph: without } };
  const results = g.nodes("If", [hasPrompt], outputs, branches);
  return {
    start: past.map((_, layer) => ({ k: valueAt(results, 2 * layer), v: valueAt(results, 2 * layer + 1) })),
    reading: headWeights && {
      positions: valueAt(results, 2 * layers),
      attention: valueAt(results, 2 * layers + 1),
    },
  };
}

function flatten(kv: readonly KeysValues[]): Value[] {
  return kv.flatMap(({ k, v }) => [k, v]);
}

/** Outputs of a branch. */
function emit(b: GraphBuilder, values: readonly Value[]): void {
  for (const value of values) b.output(b.freshName("out"), value);
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
    // The own loop may have the texts already: then what is fed is as short as can be.
    const length = usesNativeLoop(config, target) ? "E" : "T";
    const encoded = g.input("encoder_hidden", target.dtype, ["2*B", length, c.cross_hidden_size]);
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

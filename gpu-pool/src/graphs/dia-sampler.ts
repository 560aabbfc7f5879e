import { type GraphBuilder, op, type Value } from "./builder/index.ts";
import type { DiaConfig } from "./dia-config.ts";

const MASKED = -1e30;

export interface SamplerInputs {
  /** Conditional and unconditional logits, float32 [B, C, V]. */
  readonly cond: Value;
  readonly uncond: Value;
  /** int64 [B, C]; a value of 0 or more replaces what was drawn. */
  readonly forced: Value;
  /** float32 [B, C, K]: noise by rank among the candidates. */
  readonly gumbel: Value;
  /** int64 [1]. */
  readonly topK: Value;
  /** float32 [B, 1, 1] each. */
  readonly guidance: Value;
  readonly inverseTemperature: Value;
  readonly topP: Value;
}

/**
 * Draws one frame of tokens, int64 [B, C].
 *
 * The order of transformers 5.17 (`DiaClassifierFreeGuidanceLogitsProcessor`, temperature,
 * `DiaEOSChannelFilterLogitsProcessor`, top-k, top-p): guidance only chooses the K candidates, the conditional
 * logits are what is sampled; only channel 0 may end the speech, and it does so exactly when that is its best
 * candidate. The draw is Gumbel-max, which is `multinomial` with the randomness as an input. Where guidance
 * leaves no legal candidate, the best legal token of the conditional logits is taken.
 */
export function sampleFrame(g: GraphBuilder, config: DiaConfig, inputs: SamplerInputs): Value {
  const { cond, uncond, topK } = inputs;
  const ids = { dtype: "int64" as const };
  const candidates = [cond.shape[0] ?? 1, cond.shape[1] ?? 1, "K"];
  const legal = op.add(g, cond, legalTokens(g, config));
  const masked = op.floats(g, [MASKED], [], "float32");

  const guided = op.add(g, cond, op.mul(g, inputs.guidance, op.sub(g, cond, uncond)));
  const [, index] = topRanked(g, guided, topK, candidates);
  let scores = g.node("GatherElements", [legal, index], { shape: candidates }, { axis: { i: 2 } });

  // End of speech is kept as the only candidate or dropped, never drawn by chance.
  const best = argMax(g, scores);
  const bestId = g.node("GatherElements", [index, best], { ...ids, shape: best.shape }, { axis: { i: 2 } });
  const eos = g.constant("int64", BigInt64Array.of(BigInt(config.tokens.eos)), []);
  const endsNow = g.node("Equal", [bestId, eos], { dtype: "bool" });
  const isEos = g.node("Equal", [index, eos], { dtype: "bool" });
  const excluded = g.node("Xor", [endsNow, isEos], { dtype: "bool", shape: candidates });
  scores = g.node("Where", [excluded, masked, scores], { dtype: "float32", shape: candidates });
  scores = op.mul(g, scores, inputs.inverseTemperature);

  const [sorted, order] = topRanked(g, scores, topK, candidates);
  const chances = op.softmax(g, sorted);
  const sums = g.node("CumSum", [chances, g.int64s([2])]);
  const past = g.node("Greater", [op.sub(g, sums, chances), inputs.topP], { dtype: "bool" });
  const kept = g.node("Where", [past, masked, sorted], { dtype: "float32", shape: candidates });
  const rank = argMax(g, op.add(g, kept, inputs.gumbel));

  const place = g.node("GatherElements", [order, rank], { ...ids, shape: rank.shape }, { axis: { i: 2 } });
  const drawn = g.node("GatherElements", [index, place], { ...ids, shape: rank.shape }, { axis: { i: 2 } });
  const top = op.slice(g, scores, 2, 0, 1, 1);
  const none = g.node(
    "Less",
    [op.reduce(g, "ReduceMax", scores, [2]), op.floats(g, [MASKED / 2], [], "float32")],
    {
      dtype: "bool",
      shape: top.shape,
    },
  );
  const token = g.node("Where", [none, argMax(g, legal), drawn], { ...ids, shape: rank.shape });
  const free = g.node("Less", [inputs.forced, g.constant("int64", BigInt64Array.of(0n), [])], {
    dtype: "bool",
  });
  return g.node("Where", [free, op.squeeze(g, token, [2]), inputs.forced], {
    ...ids,
    shape: inputs.forced.shape,
  });
}

/** 0 for tokens that a channel may draw, a large negative number for the rest: [C, V]. */
function legalTokens(g: GraphBuilder, config: DiaConfig): Value {
  const { num_channels: channels, vocab_size: vocab } = config.decoder;
  const { eos } = config.tokens;
  const table = new Float32Array(channels * vocab);
  for (let c = 0; c < channels; c++) {
    table.fill(MASKED, c * vocab + (c === 0 ? eos + 1 : eos), (c + 1) * vocab);
  }
  return op.floats(g, table, [channels, vocab], "float32");
}

function argMax(g: GraphBuilder, x: Value): Value {
  const shape = [...x.shape.slice(0, -1), 1];
  return g.node("ArgMax", [x], { dtype: "int64", shape }, { axis: { i: 2 }, keepdims: { i: 1 } });
}

function topRanked(g: GraphBuilder, x: Value, k: Value, shape: Value["shape"]): [Value, Value] {
  const outputs = [
    { dtype: "float32", shape },
    { dtype: "int64", shape },
  ] as const;
  const [values, indices] = g.nodes("TopK", [x, k], outputs, { axis: { i: 2 } });
  if (!values || !indices) throw new Error("TopK has two outputs");
  return [values, indices];
}

/**
 * The end of a dialogue: once channel 0 says so, each channel ends after its own delay and is padded then.
 * @param tokens int64 [B, C]
 * @param ending int64 [B]: frames since channel 0 ended, -1 while it speaks
 */
export function applyEnding(
  g: GraphBuilder,
  config: DiaConfig,
  tokens: Value,
  ending: Value,
): { tokens: Value; ending: Value; more: Value } {
  const bool = { dtype: "bool" as const };
  const int = (value: number) => g.constant("int64", BigInt64Array.of(BigInt(value)), []);
  const delays = g.constant("int64", BigInt64Array.from(config.delays, BigInt), [1, config.delays.length]);
  const first = op.squeeze(g, op.slice(g, tokens, 1, 0, 1), [1]);
  const speaking = g.node("Less", [ending, int(0)], bool);
  const says = g.node("Equal", [first, int(config.tokens.eos)], bool);
  const now = g.node("Where", [g.node("And", [speaking, says], bool), int(0), ending], {
    dtype: "int64",
    shape: ending.shape,
  });
  const active = g.node("Not", [g.node("Less", [now, int(0)], bool)], bool);
  const since = op.unsqueeze(g, now, [1]);
  const shape = tokens.shape;
  const activeColumn = op.unsqueeze(g, active, [1]);
  const select = (compare: "Equal" | "Less", token: number, otherwise: Value) => {
    const hit = g.node(compare, [delays, since], { ...bool, shape });
    const applies = g.node("And", [hit, activeColumn], { ...bool, shape });
    return g.node("Where", [applies, int(token), otherwise], { dtype: "int64", shape });
  };
  const ended = select("Less", config.tokens.pad, select("Equal", config.tokens.eos, tokens));
  const next = g.node("Where", [active, op.add(g, now, int(1)), now], { dtype: "int64", shape: now.shape });
  const slowest = g.node("ReduceMin", [next, g.int64s([0])], { shape: [] }, { keepdims: { i: 0 } });
  const more = g.node("LessOrEqual", [slowest, int(config.maxDelay)], { ...bool, shape: [] });
  return { tokens: ended, ending: next, more };
}

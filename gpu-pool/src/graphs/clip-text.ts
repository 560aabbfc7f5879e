import type { WeightSet } from "../weights/weight-set.ts";
import { GraphBuilder, type OnnxModel, op, type Value } from "./builder/index.ts";
import type { ClipTextConfig } from "./config/clip.ts";
import { type Residual, settledStream, type Target, type TargetOps } from "./target/target.ts";

export interface ClipTextOptions {
  readonly config: ClipTextConfig;
  readonly weights: WeightSet;
  readonly target: Target;
  /** Make LoRA A/B matrices of q, k, v, out and the feed-forward layers graph inputs. */
  readonly lora: boolean;
  /** Hidden states (0 = embeddings, n = after layer n) to give through the final norm as well. */
  readonly normedHiddenStates?: readonly number[];
}

const LORA = { lora: true };

/**
 * CLIPTextModel, or CLIPTextModelWithProjection where the weights hold a `text_projection`.
 *
 * Input `input_ids` int64 [B, S]. Outputs `hidden_states.{i}` [B, S, D] for i = 0..layers (no final norm),
 * `last_hidden_state` (final norm applied), and `text_embeds` [B, P] with projection or `pooler_output`
 * [B, D] without. The pooled vector is taken at the end-of-text token.
 */
export function buildClipText(options: ClipTextOptions): OnnxModel {
  const { config, weights, target, lora, normedHiddenStates = [] } = options;
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const ops = target.bind(g, { lora });
  const root = weights.has("text_model.embeddings.token_embedding.weight") ? "text_model." : "";
  const ids = g.input("input_ids", "int64", ["B", "S"]);
  const hidden: Value[] = [];
  let stream: Residual<Value> = settledStream(embeddings(ops, ids, `${root}embeddings`));
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = clipLayer(ops, config, stream, `${root}encoder.layers.${i}`);
    hidden.push(layer.sum);
    stream = layer.stream;
  }
  const finalNorm = `${root}final_layer_norm`;
  const { normed, sum } = ops.layerNorm(stream, finalNorm, config.layer_norm_eps);
  hidden.push(sum);
  for (const [i, state] of hidden.entries()) g.floatOutput(`hidden_states.${i}`, state);
  for (const i of normedHiddenStates) {
    const state = hidden[i];
    if (!state) throw new Error(`hidden state ${i} is not one of 0..${hidden.length - 1}`);
    const { normed: result } = ops.layerNorm(settledStream(state), finalNorm, config.layer_norm_eps);
    g.floatOutput(`normed_hidden_states.${i}`, result);
  }
  g.floatOutput("last_hidden_state", normed);
  const pooled = pool(ops, config, ids, normed);
  if (weights.has("text_projection.weight"))
    g.floatOutput("text_embeds", ops.linear(pooled, "text_projection"));
  else g.floatOutput("pooler_output", pooled);
  return g.build("clip_text");
}

function embeddings(ops: TargetOps, ids: Value, path: string): Value {
  const { g } = ops;
  const table = g.weight(`${path}.token_embedding.weight`, { dtype: "stored" });
  const tokens = op.cast(g, op.gather(g, table, ids), g.dtype);
  const positions = op.slice(g, g.weight(`${path}.position_embedding.weight`), 0, 0, g.size("S"), "S");
  return op.add(g, tokens, positions);
}

/** One encoder layer; `sum` is the residual stream that went in. */
function clipLayer(ops: TargetOps, config: ClipTextConfig, stream: Residual<Value>, path: string) {
  const first = ops.layerNorm(stream, `${path}.layer_norm1`, config.layer_norm_eps);
  const project = (name: string) => ops.linear(first.normed, `${path}.self_attn.${name}`, LORA);
  const mixed = ops.attention(project("q_proj"), project("k_proj"), project("v_proj"), {
    heads: config.num_attention_heads,
    causal: true,
    kind: "self",
  });
  const attended = { ...ops.linearDeferred(mixed, `${path}.self_attn.out_proj`, LORA), skip: first.sum };
  const second = ops.layerNorm(attended, `${path}.layer_norm2`, config.layer_norm_eps);
  const inner = activation(ops, config, ops.linear(second.normed, `${path}.mlp.fc1`, LORA));
  const out: Residual<Value> = { ...ops.linearDeferred(inner, `${path}.mlp.fc2`, LORA), skip: second.sum };
  return { stream: out, sum: first.sum };
}

function activation({ g }: TargetOps, config: ClipTextConfig, x: Value): Value {
  if (config.hidden_act === "gelu") return g.node("Gelu", [x], {}, {}, "com.microsoft");
  return g.node("QuickGelu", [x], {}, { alpha: { f: 1.702 } }, "com.microsoft");
}

/**
 * The state at the end-of-text token: the first one, or with the legacy `eos_token_id` 2 the largest id
 * (transformers modeling_clip, before and after its pull request 24773).
 */
function pool({ g }: TargetOps, config: ClipTextConfig, ids: Value, states: Value): Value {
  const eos = Array.isArray(config.eos_token_id) ? config.eos_token_id[0] : config.eos_token_id;
  const legacy = eos === 2;
  const match = (id: number) =>
    g.node("Equal", [ids, g.constant("int64", BigInt64Array.of(BigInt(id)), [1])], { dtype: "bool" });
  const score = op.cast(g, legacy ? ids : match(eos ?? 49407), "int32");
  const position = g.node("ArgMax", [score], { dtype: "int64", shape: ["B", 1] }, { axis: { i: 1 } });
  const width = states.shape[2] ?? 1;
  return g.node("GatherND", [states, position], { shape: ["B", width] }, { batch_dims: { i: 1 } });
}

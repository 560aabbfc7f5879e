/** Text encoder tensor names of LDM checkpoints to transformers names. */

const CLIP_PREFIXES = ["conditioner.embedders.0.transformer.", "cond_stage_model.transformer."];
const OPEN_CLIP_PREFIX = "conditioner.embedders.1.model.";

/** CLIP-L, which keeps its own names under a prefix. */
export function clipKey(key: string): string | undefined {
  const prefix = CLIP_PREFIXES.find((text) => key.startsWith(text));
  const name = prefix === undefined ? undefined : key.slice(prefix.length);
  return name?.endsWith("position_ids") ? undefined : name;
}

const OPEN_CLIP_FIXED: Readonly<Record<string, string>> = {
  "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
  positional_embedding: "text_model.embeddings.position_embedding.weight",
  "ln_final.weight": "text_model.final_layer_norm.weight",
  "ln_final.bias": "text_model.final_layer_norm.bias",
  text_projection: "text_projection.weight",
};

const OPEN_CLIP_PARTS: Readonly<Record<string, string>> = {
  ln_1: "layer_norm1",
  ln_2: "layer_norm2",
  "mlp.c_fc": "mlp.fc1",
  "mlp.c_proj": "mlp.fc2",
  "attn.out_proj": "self_attn.out_proj",
};

/** Where an OpenCLIP tensor goes: one name; three for the packed q, k and v; a transposed matrix for the projection. */
export type OpenClipTarget =
  | { kind: "whole"; name: string }
  | { kind: "thirds"; names: [string, string, string] }
  | { kind: "transposed"; name: string };

export function openClipKey(key: string): OpenClipTarget | undefined {
  if (!key.startsWith(OPEN_CLIP_PREFIX)) return undefined;
  const bare = key.slice(OPEN_CLIP_PREFIX.length);
  const fixed = OPEN_CLIP_FIXED[bare];
  if (fixed !== undefined) return { kind: bare === "text_projection" ? "transposed" : "whole", name: fixed };
  const block = /^transformer\.resblocks\.(\d+)\.(.+)$/.exec(bare);
  if (!block) return undefined;
  const [, layer, rest = ""] = block;
  const base = `text_model.encoder.layers.${layer}`;
  const packed = /^attn\.in_proj_(weight|bias)$/.exec(rest);
  if (packed) {
    const name = (part: string) => `${base}.self_attn.${part}_proj.${packed[1]}`;
    return { kind: "thirds", names: [name("q"), name("k"), name("v")] };
  }
  const dot = rest.lastIndexOf(".");
  const part = OPEN_CLIP_PARTS[rest.slice(0, dot)];
  return part === undefined ? undefined : { kind: "whole", name: `${base}.${part}${rest.slice(dot)}` };
}

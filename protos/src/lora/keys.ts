/** Which model of the pipeline a LoRA layer belongs to. */
export const COMPONENTS = ["unet", "text_encoder", "text_encoder_2"] as const;
export type LoraComponent = (typeof COMPONENTS)[number];

export type LoraPart = "A" | "B" | "alpha" | "dora" | "mid" | "unsupported";

/** A tensor name taken apart. `module` is flattened: every "." of the module path is "_". */
export interface LoraKey {
  component: LoraComponent;
  module: string;
  part: LoraPart;
}

/** Endings of a tensor name, longest first where one contains another. */
const PARTS: readonly (readonly [string, LoraPart])[] = [
  [".lora_down.weight", "A"],
  [".lora_up.weight", "B"],
  [".lora_A.default.weight", "A"],
  [".lora_B.default.weight", "B"],
  [".lora_A.weight", "A"],
  [".lora_B.weight", "B"],
  [".lora_linear_layer.down.weight", "A"],
  [".lora_linear_layer.up.weight", "B"],
  [".lora.down.weight", "A"],
  [".lora.up.weight", "B"],
  ["_lora.down.weight", "A"],
  ["_lora.up.weight", "B"],
  [".down.weight", "A"],
  [".up.weight", "B"],
  [".lora_mid.weight", "mid"],
  [".alpha", "alpha"],
  [".dora_scale", "dora"],
  [".lora_magnitude_vector.default.weight", "dora"],
  [".lora_magnitude_vector", "dora"],
];

const UNSUPPORTED = /\.(hada_|lokr_|oft_|boft_|on_input$|diff$|diff_b$|glora_)/;

/** Beginnings of a tensor name, longest first where one contains another. */
const COMPONENT_PREFIXES: readonly (readonly [string, LoraComponent])[] = [
  ["lora_unet_", "unet"],
  ["lora_te1_", "text_encoder"],
  ["lora_te2_", "text_encoder_2"],
  ["lora_te_", "text_encoder"],
  ["unet.", "unet"],
  ["text_encoder_2.", "text_encoder_2"],
  ["text_encoder.", "text_encoder"],
];

/**
 * Takes a LoRA tensor's name apart, whatever tool wrote it: kohya/A1111 (`lora_unet_…lora_down.weight`),
 * PEFT and diffusers (`unet.….lora_A.weight`), or old diffusers (`unet.….processor.to_q_lora.down.weight`).
 * @returns undefined when the name is none of these
 */
export function parseLoraKey(key: string): LoraKey | undefined {
  const bare = key.replace(/^base_model\.model\./, "");
  const prefix = COMPONENT_PREFIXES.find(([text]) => bare.startsWith(text));
  // A bare UNet path, as `save_lora_adapter` of a UNet alone writes it.
  const component: LoraComponent = prefix?.[1] ?? "unet";
  let path = bare.slice(prefix?.[0].length ?? 0).replace(/^base_model\.model\./, "");
  const unsupported = UNSUPPORTED.exec(path);
  if (unsupported)
    return { component, module: flatten(path.slice(0, unsupported.index)), part: "unsupported" };
  const ending = PARTS.find(([text]) => path.endsWith(text));
  if (!ending) return undefined;
  path = path.slice(0, -ending[0].length);
  return { component, module: flatten(normaliseModule(path)), part: ending[1] };
}

/** Old attention-processor names to module names. */
function normaliseModule(path: string): string {
  return path
    .replace(/\.processor\.(to_\w+)$/, ".$1")
    .replace(/\.self_attn\.to_(q|k|v)$/, ".self_attn.$1_proj")
    .replace(/\.self_attn\.to_out$/, ".self_attn.out_proj")
    .replace(/\.to_out$/, ".to_out.0");
}

export function flatten(path: string): string {
  return path.replaceAll(".", "_");
}

/**
 * UNet tensor names of SGM/LDM checkpoints to diffusers names. input_blocks counts conv_in, then per down block its
 * layers and a downsampler; output_blocks counts the layers of the up blocks, upsamplers sit inside the last of each.
 */

const PREFIX = "model.diffusion_model.";

const FIXED: Readonly<Record<string, string>> = {
  "time_embed.0": "time_embedding.linear_1",
  "time_embed.2": "time_embedding.linear_2",
  "label_emb.0.0": "add_embedding.linear_1",
  "label_emb.0.2": "add_embedding.linear_2",
  "input_blocks.0.0": "conv_in",
  "out.0": "conv_norm_out",
  "out.2": "conv_out",
};

const RESNET: Readonly<Record<string, string>> = {
  "in_layers.0": "norm1",
  "in_layers.2": "conv1",
  "emb_layers.1": "time_emb_proj",
  "out_layers.0": "norm2",
  "out_layers.3": "conv2",
  skip_connection: "conv_shortcut",
};

/**
 * @param layersPerBlock resnets per down block
 * @returns undefined for tensors that are not the UNet's
 */
export function unetKey(key: string, layersPerBlock: number): string | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  const { path, leaf } = splitLeaf(key.slice(PREFIX.length));
  const fixed = FIXED[path];
  if (fixed !== undefined) return `${fixed}.${leaf}`;
  const module = blockModule(path, layersPerBlock + 1);
  return module === undefined ? undefined : `${module}.${leaf}`;
}

function blockModule(path: string, perBlock: number): string | undefined {
  const match = /^(input_blocks|output_blocks|middle_block)\.(\d+)(?:\.(.+))?$/.exec(path);
  if (!match) return undefined;
  const [, side = "", number = "", rest = ""] = match;
  const index = Number(number);
  if (side === "middle_block") {
    if (index === 1) return `mid_block.attentions.0.${rest}`;
    return `mid_block.resnets.${index / 2}.${RESNET[rest] ?? rest}`;
  }
  const slot = side === "input_blocks" ? index - 1 : index;
  const block = `${side === "input_blocks" ? "down" : "up"}_blocks.${Math.floor(slot / perBlock)}`;
  const layer = slot % perBlock;
  if (rest === "0.op") return `${block}.downsamplers.0.conv`;
  if (rest === "1.conv" || rest === "2.conv") return `${block}.upsamplers.0.conv`;
  const inner = rest.slice(2);
  if (rest.startsWith("0.")) return `${block}.resnets.${layer}.${RESNET[inner] ?? inner}`;
  return rest.startsWith("1.") ? `${block}.attentions.${layer}.${inner}` : undefined;
}

/** Module path and the tensor's own name. */
export function splitLeaf(key: string): { path: string; leaf: string } {
  const dot = key.lastIndexOf(".");
  return { path: key.slice(0, dot), leaf: key.slice(dot + 1) };
}

import { splitLeaf } from "./unet-keys.ts";

/** VAE tensor names of LDM checkpoints to diffusers names; up blocks count from the other end there. */

const PREFIX = "first_stage_model.";

const ATTENTION: Readonly<Record<string, string>> = {
  norm: "group_norm",
  q: "to_q",
  k: "to_k",
  v: "to_v",
  proj_out: "to_out.0",
};

/**
 * @param blocks resolutions of the VAE
 * @returns undefined for tensors that are not the VAE's
 */
export function vaeKey(key: string, blocks: number): string | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  const { path, leaf } = splitLeaf(key.slice(PREFIX.length));
  if (path === "quant_conv" || path === "post_quant_conv") return `${path}.${leaf}`;
  const match = /^(encoder|decoder)\.(.+)$/.exec(path);
  const inner = match && module(match[2] ?? "", blocks);
  return inner ? `${match[1]}.${inner}.${leaf}` : undefined;
}

function module(path: string, blocks: number): string | undefined {
  if (path === "conv_in" || path === "conv_out") return path;
  if (path === "norm_out") return "conv_norm_out";
  const mid = /^mid\.(block_(\d)|attn_1)\.(.+)$/.exec(path);
  if (mid) {
    const [, , number, part = ""] = mid;
    if (number === undefined) return `mid_block.attentions.0.${ATTENTION[part] ?? part}`;
    return `mid_block.resnets.${Number(number) - 1}.${resnetPart(part)}`;
  }
  const block = /^(down|up)\.(\d+)\.(?:block\.(\d+)\.(.+)|(?:down|up)sample\.conv)$/.exec(path);
  if (!block) return undefined;
  const [, side, number, layer, part] = block;
  const index = side === "down" ? Number(number) : blocks - 1 - Number(number);
  const base = `${side}_blocks.${index}`;
  if (layer === undefined || part === undefined) return `${base}.${side}samplers.0.conv`;
  return `${base}.resnets.${layer}.${resnetPart(part)}`;
}

function resnetPart(part: string): string {
  return part === "nin_shortcut" ? "conv_shortcut" : part;
}

import { flatten, type LoraComponent } from "@cartoon/protos/lora/keys";
import type { LoraTarget } from "../graphs/builder/types.ts";

/** What the loaded graphs can take, per model. */
export type LoraTargets = Readonly<Partial<Record<LoraComponent, readonly LoraTarget[]>>>;

/**
 * Looks targets up by every flattened name that a LoRA file may use for them: the module path itself, the path
 * without `text_model.`, and the name that the module has in SGM/LDM checkpoints.
 */
export class TargetIndex {
  readonly #byName = new Map<string, LoraTarget>();

  /** @param layersPerBlock resnets per down block of the UNet, which numbers the SGM names */
  constructor(component: LoraComponent, targets: readonly LoraTarget[], layersPerBlock: number) {
    for (const target of targets) {
      const names = [flatten(target.path)];
      if (component === "unet") {
        names.push(...sgmNames(target.path, layersPerBlock));
        if (target.path.endsWith(".to_out.0")) names.push(flatten(target.path.slice(0, -2)));
      } else {
        const bare = target.path.replace(/^text_model\./, "");
        names.push(flatten(bare), flatten(`text_model.${bare}`));
      }
      for (const name of names) this.#byName.set(name, target);
    }
  }

  find(module: string): LoraTarget | undefined {
    return this.#byName.get(module);
  }
}

/** Parts of a resnet, diffusers to SGM/LDM. */
const RESNET: Readonly<Record<string, string>> = {
  conv1: "in_layers.2",
  time_emb_proj: "emb_layers.1",
  conv2: "out_layers.3",
  conv_shortcut: "skip_connection",
};

/**
 * The flattened SGM/LDM names of a UNet module (two where the place depends on the block's kind).
 * input_blocks counts conv_in, then per down block its layers and a downsampler; output_blocks counts layers + 1 per
 * up block (upsamplers live inside the last of them).
 */
export function sgmNames(path: string, layersPerBlock: number): string[] {
  if (path === "conv_in") return [flatten("input_blocks.0.0")];
  if (path === "conv_out") return [flatten("out.2")];
  const mid = /^mid_block\.(attentions|resnets)\.(\d+)\.(.+)$/.exec(path);
  if (mid) {
    const [, kind, number, rest = ""] = mid;
    if (kind === "attentions") return [flatten(`middle_block.1.${rest}`)];
    return [flatten(`middle_block.${2 * Number(number)}.${RESNET[rest] ?? rest}`)];
  }
  const match = /^(down|up)_blocks\.(\d+)\.(attentions|resnets|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(
    path,
  );
  if (!match) return [];
  const [, side, block, kind, layer, rest = ""] = match;
  const perBlock = layersPerBlock + 1;
  const slot = Number(block) * perBlock + Number(layer);
  const base = side === "down" ? `input_blocks.${slot + 1}` : `output_blocks.${slot}`;
  switch (kind) {
    case "attentions":
      return [flatten(`${base}.1.${rest}`)];
    case "resnets":
      return [flatten(`${base}.0.${RESNET[rest] ?? rest}`)];
    case "downsamplers":
      return [flatten(`input_blocks.${(Number(block) + 1) * perBlock}.0.op`)];
    default: {
      const last = `output_blocks.${Number(block) * perBlock + layersPerBlock}`;
      return [flatten(`${last}.1.conv`), flatten(`${last}.2.conv`)];
    }
  }
}

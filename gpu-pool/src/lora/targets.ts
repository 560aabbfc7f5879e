import type { LoraTarget } from "../graphs/builder/types.ts";
import { flatten, type LoraComponent } from "./keys.ts";

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
        const sgm = sgmName(target.path, layersPerBlock);
        if (sgm !== undefined) names.push(sgm);
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

/**
 * The flattened SGM/LDM name of an attention module of a UNet.
 * input_blocks counts conv_in, then per down block its layers and a downsampler; output_blocks counts layers + 1 per
 * up block (upsamplers live inside the last of them).
 */
export function sgmName(path: string, layersPerBlock: number): string | undefined {
  const match = /^(down_blocks|up_blocks)\.(\d+)\.attentions\.(\d+)\.(.+)$/.exec(path);
  if (match) {
    const [, side, block, layer, rest] = match;
    const perBlock = layersPerBlock + 1;
    const index = Number(block) * perBlock + Number(layer);
    const name = side === "down_blocks" ? `input_blocks.${index + 1}.1` : `output_blocks.${index}.1`;
    return flatten(`${name}.${rest}`);
  }
  const mid = /^mid_block\.attentions\.0\.(.+)$/.exec(path);
  return mid ? flatten(`middle_block.1.${mid[1]}`) : undefined;
}

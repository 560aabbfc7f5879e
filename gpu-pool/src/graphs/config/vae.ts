import { z } from "zod";

/** AutoencoderKL config of diffusers: the fields the graphs depend on. */
export const autoencoderConfig = z.object({
  act_fn: z.enum(["silu", "swish"]).default("silu"),
  in_channels: z.int().positive().default(3),
  out_channels: z.int().positive().default(3),
  down_block_types: z.array(z.literal("DownEncoderBlock2D")).min(1),
  up_block_types: z.array(z.literal("UpDecoderBlock2D")).min(1),
  block_out_channels: z.array(z.int().positive()).min(1),
  layers_per_block: z.int().positive().default(1),
  latent_channels: z.int().positive().default(4),
  norm_num_groups: z.int().positive().default(32),
  scaling_factor: z.number().positive().default(0.18215),
  shift_factor: z.number().nullish(),
  use_quant_conv: z.boolean().nullish(),
  use_post_quant_conv: z.boolean().nullish(),
  mid_block_add_attention: z.boolean().nullish(),
});

export type AutoencoderConfig = z.infer<typeof autoencoderConfig>;

/** Pixels per latent along one side. */
export function vaeScale(config: AutoencoderConfig): number {
  return 2 ** (config.block_out_channels.length - 1);
}

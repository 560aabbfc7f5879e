import { motionAdapterConfig, unetConfig } from "../config/unet.ts";

/** unet/config.json of stabilityai/stable-diffusion-xl-base-1.0, the fields that matter. */
export const SDXL_UNET = unetConfig.parse({
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
  up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  block_out_channels: [320, 640, 1280],
  layers_per_block: 2,
  cross_attention_dim: 2048,
  attention_head_dim: [5, 10, 20],
  transformer_layers_per_block: [1, 2, 10],
  addition_embed_type: "text_time",
  addition_time_embed_dim: 256,
  projection_class_embeddings_input_dim: 2816,
  use_linear_projection: true,
});

/** config.json of guoyww/animatediff-motion-adapter-sdxl-beta. */
export const SDXL_MOTION_ADAPTER = motionAdapterConfig.parse({
  block_out_channels: [320, 640, 1280],
  motion_layers_per_block: 2,
  motion_num_attention_heads: 8,
  motion_max_seq_length: 32,
  use_motion_mid_block: false,
});

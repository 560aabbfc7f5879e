import { z } from "zod";

/**
 * UNet2DConditionModel (or UNetMotionModel) and MotionAdapter configs of diffusers 0.42, brought into one
 * explicit form: one entry per block and layer, defaults filled in.
 */

const count = z.int().positive();
const counts = z.union([count, z.array(count)]);
const nestedCounts = z.union([count, z.array(z.union([count, z.array(count)]))]);
const downType = z.enum([
  "CrossAttnDownBlock2D",
  "DownBlock2D",
  "CrossAttnDownBlockMotion",
  "DownBlockMotion",
]);
const upType = z.enum(["CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlockMotion", "UpBlockMotion"]);

/** Fields of other UNets: fine when absent or neutral, an error that names them otherwise. */
const neutral = {
  dual_cross_attention: z.literal(false).nullish(),
  only_cross_attention: z.literal(false).nullish(),
  encoder_hid_dim_type: z.null().optional(),
  class_embed_type: z.null().optional(),
  num_class_embeds: z.null().optional(),
  time_cond_proj_dim: z.null().optional(),
  cross_attention_norm: z.null().optional(),
  resnet_time_scale_shift: z.literal("default").nullish(),
  resnet_skip_time_act: z.literal(false).nullish(),
  mid_block_scale_factor: z.literal(1).nullish(),
  mid_block_type: z.literal("UNetMidBlock2DCrossAttn").nullish(),
  center_input_sample: z.literal(false).nullish(),
  freq_shift: z.literal(0).nullish(),
  flip_sin_to_cos: z.literal(true).nullish(),
  act_fn: z.enum(["silu", "swish"]).nullish(),
};

export const unetConfig = z.object({
  ...neutral,
  in_channels: count.default(4),
  out_channels: count.default(4),
  down_block_types: z.array(downType).min(1),
  up_block_types: z.array(upType).min(1),
  block_out_channels: z.array(count).min(1),
  layers_per_block: counts.default(2),
  downsample_padding: z.union([z.literal(0), z.literal(1)]).default(1),
  norm_num_groups: count.default(32),
  norm_eps: z.number().positive().default(1e-5),
  cross_attention_dim: counts.default(1280),
  transformer_layers_per_block: nestedCounts.default(1),
  reverse_transformer_layers_per_block: nestedCounts.nullish(),
  transformer_layers_per_mid_block: counts.nullish(),
  use_linear_projection: z.boolean().nullish(),
  attention_head_dim: counts.nullish(),
  num_attention_heads: counts.nullish(),
  addition_embed_type: z.literal("text_time").nullish(),
  addition_time_embed_dim: count.nullish(),
  projection_class_embeddings_input_dim: count.nullish(),
  // UNetMotionModel only
  motion_max_seq_length: count.nullish(),
  motion_num_attention_heads: nestedCounts.nullish(),
  use_motion_mid_block: z.boolean().nullish(),
  mid_block_layers: count.nullish(),
  temporal_transformer_layers_per_block: nestedCounts.nullish(),
  reverse_temporal_transformer_layers_per_block: nestedCounts.nullish(),
  temporal_transformer_layers_per_mid_block: counts.nullish(),
});

export const motionAdapterConfig = z.object({
  block_out_channels: z.array(count).min(1),
  motion_layers_per_block: counts.default(2),
  motion_transformer_layers_per_block: nestedCounts.default(1),
  motion_transformer_layers_per_mid_block: counts.default(1),
  motion_num_attention_heads: counts.default(8),
  motion_max_seq_length: count.default(32),
  use_motion_mid_block: z.boolean().default(true),
  conv_in_channels: z.null().optional(),
});

export type UnetConfig = z.infer<typeof unetConfig>;
export type MotionAdapterConfig = z.infer<typeof motionAdapterConfig>;

/** One resolution of the UNet, with one entry per layer in the lists. */
export interface UnetBlock {
  readonly channels: number;
  /** Resnets (each with its motion module). */
  readonly layers: number;
  /** Transformer blocks of each layer's spatial attention; undefined where the block has none. */
  readonly spatialLayers?: readonly number[];
  readonly heads: number;
  readonly crossDim: number;
  /** Transformer blocks of each motion module; undefined where the block has none. */
  readonly motionLayers?: readonly number[];
  readonly motionHeads: readonly number[];
}

export interface UnetMotionShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly downsamplePadding: 0 | 1;
  readonly down: readonly UnetBlock[];
  readonly mid: UnetBlock;
  readonly up: readonly UnetBlock[];
  readonly maxFrames: number;
  /** SDXL's pooled text and size conditioning. */
  readonly textTime?: { readonly timeDim: number; readonly textDim: number };
}

function perBlock<T>(value: T | T[], blocks: number, field: string): T[] {
  if (!Array.isArray(value)) return new Array<T>(blocks).fill(value);
  if (value.length !== blocks) throw new Error(`${field} has ${value.length} entries for ${blocks} blocks`);
  return value;
}

function perLayer(value: number | number[], layers: number, field: string): number[] {
  if (typeof value === "number") return new Array<number>(layers).fill(value);
  if (value.length !== layers) throw new Error(`${field} has ${value.length} entries for ${layers} layers`);
  return value;
}

/** Merges an adapter into a UNet's config, as UNetMotionModel.from_unet2d does. */
function mergeAdapter(unet: UnetConfig, adapter: MotionAdapterConfig | undefined): UnetConfig {
  if (!adapter) return unet;
  const blocks = unet.block_out_channels.length;
  if (adapter.block_out_channels.join() !== unet.block_out_channels.join()) {
    throw new Error(
      `the motion adapter is made for block_out_channels ${adapter.block_out_channels}, the UNet has ${unet.block_out_channels}`,
    );
  }
  const own = perBlock(unet.layers_per_block, blocks, "layers_per_block");
  const theirs = perBlock(adapter.motion_layers_per_block, blocks, "motion_layers_per_block");
  if (own.join() !== theirs.join()) {
    throw new Error(`the motion adapter has ${theirs} layers per block, the UNet ${own}`);
  }
  return {
    ...unet,
    motion_max_seq_length: adapter.motion_max_seq_length,
    motion_num_attention_heads: adapter.motion_num_attention_heads,
    use_motion_mid_block: adapter.use_motion_mid_block,
    temporal_transformer_layers_per_block: adapter.motion_transformer_layers_per_block,
    temporal_transformer_layers_per_mid_block: adapter.motion_transformer_layers_per_mid_block,
  };
}

function textTime(config: UnetConfig): UnetMotionShape["textTime"] {
  if (config.addition_embed_type !== "text_time") return undefined;
  const timeDim = config.addition_time_embed_dim;
  const inputDim = config.projection_class_embeddings_input_dim;
  if (!timeDim || !inputDim || inputDim <= 6 * timeDim) {
    throw new Error(
      "addition_embed_type text_time needs addition_time_embed_dim and projection_class_embeddings_input_dim",
    );
  }
  return { timeDim, textDim: inputDim - 6 * timeDim };
}

/**
 * The explicit form of a UNet with its motion adapter.
 * @param adapter leave out when `unet` is a UNetMotionModel config
 * @throws when fields contradict each other
 */
export function unetMotionShape(unet: UnetConfig, adapter?: MotionAdapterConfig): UnetMotionShape {
  const c = mergeAdapter(unet, adapter);
  const n = c.block_out_channels.length;
  if (c.down_block_types.length !== n || c.up_block_types.length !== n) {
    throw new Error(`down_block_types, up_block_types and block_out_channels must have the same length`);
  }
  const layers = perBlock(c.layers_per_block, n, "layers_per_block");
  const heads = perBlock(c.num_attention_heads ?? c.attention_head_dim ?? 8, n, "num_attention_heads");
  const cross = perBlock(c.cross_attention_dim, n, "cross_attention_dim");
  const spatial = perBlock(c.transformer_layers_per_block, n, "transformer_layers_per_block");
  const temporal = perBlock(
    c.temporal_transformer_layers_per_block ?? 1,
    n,
    "motion_transformer_layers_per_block",
  );
  const motionHeads = perBlock(c.motion_num_attention_heads ?? 8, n, "motion_num_attention_heads");
  const spatialUp = c.reverse_transformer_layers_per_block
    ? perBlock(c.reverse_transformer_layers_per_block, n, "reverse_transformer_layers_per_block")
    : spatial.toReversed();
  const temporalUp = c.reverse_temporal_transformer_layers_per_block
    ? perBlock(
        c.reverse_temporal_transformer_layers_per_block,
        n,
        "reverse_temporal_transformer_layers_per_block",
      )
    : temporal.toReversed();

  const block = (
    level: number,
    count: number,
    attends: boolean,
    s: number | number[] | undefined,
    t: number | number[] | undefined,
  ): UnetBlock => {
    const at = <T>(list: T[]): T => {
      const value = list[level];
      if (value === undefined) throw new Error(`block ${level} is not configured`);
      return value;
    };
    return {
      channels: at(c.block_out_channels),
      layers: count,
      spatialLayers: attends ? perLayer(s ?? 1, count, "transformer_layers_per_block") : undefined,
      heads: at(heads),
      crossDim: at(cross),
      motionLayers: t === undefined ? undefined : perLayer(t, count, "motion_transformer_layers_per_block"),
      motionHeads: perLayer(at(motionHeads), count, "motion_num_attention_heads"),
    };
  };
  const lastSpatial = spatial[n - 1];
  const midSpatial =
    c.transformer_layers_per_mid_block ?? (typeof lastSpatial === "number" ? lastSpatial : 1);
  const midTemporal =
    c.use_motion_mid_block === false ? undefined : (c.temporal_transformer_layers_per_mid_block ?? 1);
  return {
    inChannels: c.in_channels,
    outChannels: c.out_channels,
    groups: c.norm_num_groups,
    epsilon: c.norm_eps,
    downsamplePadding: c.downsample_padding,
    down: c.down_block_types.map((type, i) =>
      block(i, layers[i] ?? 1, type.startsWith("Cross"), spatial[i], temporal[i]),
    ),
    mid: block(n - 1, c.mid_block_layers ?? 1, true, midSpatial, midTemporal),
    up: c.up_block_types.map((type, i) =>
      block(n - 1 - i, (layers[n - 1 - i] ?? 1) + 1, type.startsWith("Cross"), spatialUp[i], temporalUp[i]),
    ),
    maxFrames: c.motion_max_seq_length ?? 32,
    textTime: textTime(c),
  };
}

import type { WeightSet } from "../weights/weight-set.ts";
import { resnetBlock } from "./blocks/resnet.ts";
import { type Dim, GraphBuilder, type OnnxModel, op, type Value } from "./builder/index.ts";
import { type AutoencoderConfig, vaeScale } from "./config/vae.ts";
import {
  type FeatureMap,
  type Residual,
  settledStream,
  type Target,
  type TargetOps,
} from "./target/target.ts";

export interface AutoencoderOptions {
  readonly config: AutoencoderConfig;
  readonly weights: WeightSet;
  readonly target: Target;
  /** Images per run and latent sizes; symbols where they may vary. */
  readonly sizes?: { readonly batch: Dim; readonly height: Dim; readonly width: Dim };
}

export interface DecoderOptions extends AutoencoderOptions {
  /** `rgb` makes finished pixels on the device: a quarter of the bytes, and no loop over them afterwards. Default `sample`. */
  readonly output?: "sample" | "rgb";
}

const EPSILON = 1e-6;
const SYMBOLIC = { batch: "N", height: "H", width: "W" } as const;

/**
 * Decoder of diffusers' AutoencoderKL. Input `latent_sample` [N, C, h, w], already divided by the scaling
 * factor; output `sample` [N, 3, h * scale, w * scale] in about -1..1. With `rgb` instead: `rgb` uint8
 * [N, h * scale, w * scale, 3], and of the numbers it was made of `mean` [N], which is finite when all are, and
 * `spread` [N], the largest less the smallest.
 */
export function buildVaeDecoder({
  config,
  weights,
  target,
  sizes = SYMBOLIC,
  output = "sample",
}: DecoderOptions): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const ops = target.bind(g, { lora: false });
  const latents = g.floatInput("latent_sample", [
    sizes.batch,
    config.latent_channels,
    sizes.height,
    sizes.width,
  ]);
  let map = ops.fromImages(latents);
  if (config.use_post_quant_conv !== false) {
    map = ops.conv(map, "post_quant_conv", { outChannels: config.latent_channels, kernel: 1 });
  }
  const channels = config.block_out_channels.toReversed();
  let stream = settledStream(ops.conv(map, "decoder.conv_in", { outChannels: channels[0] ?? 0, kernel: 3 }));
  stream = midBlock(ops, config, stream, "decoder.mid_block");
  for (const [i, outChannels] of channels.entries()) {
    const block = `decoder.up_blocks.${i}`;
    for (let j = 0; j <= config.layers_per_block; j++) {
      stream = resnet(ops, config, stream, `${block}.resnets.${j}`, outChannels);
    }
    if (i === channels.length - 1) continue;
    const small = ops.settleMap(stream);
    stream = settledStream(ops.upsampledConv(small, `${block}.upsamplers.0.conv`, outChannels));
  }
  const pixels = head(ops, config, stream, "decoder", config.out_channels);
  if (output === "rgb") rgbOutputs(g, ops.toImages(pixels));
  else g.floatOutput("sample", ops.toImages(pixels));
  return g.build("vae_decoder");
}

/** @param images [N, 3, H, W] */
function rgbOutputs(g: GraphBuilder, images: Value): void {
  const x = op.cast(g, images, "float32");
  const number = (value: number) => op.scalar(g, value, x);
  const flat = op.flatten(g, x, 1, 4);
  const extreme = (name: "ReduceMax" | "ReduceMin") => op.reduce(g, name, flat, [1], false);
  g.output("mean", op.reduce(g, "ReduceMean", flat, [1], false));
  g.output("spread", op.sub(g, extreme("ReduceMax"), extreme("ReduceMin")));
  const unit = op.add(g, op.mul(g, op.transpose(g, x, [0, 2, 3, 1]), number(0.5)), number(0.5));
  const inside = g.node("Clip", [unit, number(0), number(1)]);
  const level = g.node("Floor", [op.add(g, op.mul(g, inside, number(255)), number(0.5))]);
  g.output("rgb", op.cast(g, level, "uint8"));
}

/**
 * Encoder of diffusers' AutoencoderKL. Input `sample` [N, 3, H, W] in -1..1 (multiples of the scale);
 * outputs `latent_mean` and `latent_log_variance` [N, C, h, w], not yet times the scaling factor.
 */
export function buildVaeEncoder({
  config,
  weights,
  target,
  sizes = SYMBOLIC,
}: AutoencoderOptions): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const ops = target.bind(g, { lora: false });
  const scale = vaeScale(config);
  const fixed = (d: Dim) => (typeof d === "number" ? d * scale : d);
  const pixels = g.floatInput("sample", [
    sizes.batch,
    config.in_channels,
    fixed(sizes.height),
    fixed(sizes.width),
  ]);
  const channels = config.block_out_channels;
  const first = { outChannels: channels[0] ?? 0, kernel: 3 } as const;
  let stream = settledStream(ops.conv(ops.fromImages(pixels), "encoder.conv_in", first));
  for (const [i, outChannels] of channels.entries()) {
    const block = `encoder.down_blocks.${i}`;
    for (let j = 0; j < config.layers_per_block; j++) {
      stream = resnet(ops, config, stream, `${block}.resnets.${j}`, outChannels);
    }
    if (i === channels.length - 1) continue;
    const down = { outChannels, kernel: 3, stride: 2, padding: "end" } as const;
    stream = settledStream(ops.conv(ops.settleMap(stream), `${block}.downsamplers.0.conv`, down));
  }
  stream = midBlock(ops, config, stream, "encoder.mid_block");
  let moments = head(ops, config, stream, "encoder", 2 * config.latent_channels);
  if (config.use_quant_conv !== false) {
    moments = ops.conv(moments, "quant_conv", { outChannels: 2 * config.latent_channels, kernel: 1 });
  }
  const [mean, logVariance] = op.split(g, ops.toImages(moments), 2, 1);
  if (!mean || !logVariance) throw new Error("Split made no output");
  g.floatOutput("latent_mean", mean);
  g.floatOutput("latent_log_variance", logVariance);
  return g.build("vae_encoder");
}

function resnet(
  ops: TargetOps,
  config: AutoencoderConfig,
  stream: Residual<FeatureMap>,
  path: string,
  outChannels: number,
): Residual<FeatureMap> {
  return resnetBlock(ops, stream, path, { outChannels, groups: config.norm_num_groups, epsilon: EPSILON });
}

function midBlock(
  ops: TargetOps,
  config: AutoencoderConfig,
  stream: Residual<FeatureMap>,
  path: string,
): Residual<FeatureMap> {
  const channels = config.block_out_channels.at(-1) ?? 0;
  let middle = resnet(ops, config, stream, `${path}.resnets.0`, channels);
  if (config.mid_block_add_attention !== false) {
    middle = attention(ops, config, middle, `${path}.attentions.0`);
  }
  return resnet(ops, config, middle, `${path}.resnets.1`, channels);
}

/** Single-head self-attention over the pixels. */
function attention(
  ops: TargetOps,
  config: AutoencoderConfig,
  stream: Residual<FeatureMap>,
  path: string,
): Residual<FeatureMap> {
  const norm = { groups: config.norm_num_groups, epsilon: EPSILON };
  const { normed, sum } = ops.groupNorm(stream, `${path}.group_norm`, norm);
  const tokens = ops.toTokens(normed);
  const [q, k, v] = ["to_q", "to_k", "to_v"].map((name) => ops.linear(tokens, `${path}.${name}`));
  if (!q || !k || !v) throw new Error("attention needs q, k and v");
  const mixed = ops.attention(q, k, v, { heads: 1, kind: "self" });
  const { result, bias } = ops.linearDeferred(mixed, `${path}.to_out.0`);
  return { result: ops.fromTokens(result, sum), bias, skip: sum };
}

function head(
  ops: TargetOps,
  config: AutoencoderConfig,
  stream: Residual<FeatureMap>,
  path: string,
  outChannels: number,
): FeatureMap {
  const norm = { groups: config.norm_num_groups, epsilon: EPSILON, silu: true };
  const { normed } = ops.groupNorm(stream, `${path}.conv_norm_out`, norm);
  return ops.conv(normed, `${path}.conv_out`, { outChannels, kernel: 3 });
}

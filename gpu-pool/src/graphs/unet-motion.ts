import type { WeightSet } from "../weights/weight-set.ts";
import { resnetBlock } from "./blocks/resnet.ts";
import { embeddingMlp, sinusoid } from "./blocks/time-embedding.ts";
import { motionModule, spatialTransformer } from "./blocks/transformer.ts";
import { type Dim, GraphBuilder, mulDims, type OnnxModel, op, type Value } from "./builder/index.ts";
import type { UnetBlock, UnetMotionShape } from "./config/unet.ts";
import {
  type FeatureMap,
  type LoraScope,
  type Residual,
  settledStream,
  type Target,
  type TargetOps,
} from "./target/target.ts";

/** Sizes of the inputs: numbers where they are fixed at build time, symbols where they may vary. */
export interface UnetSizes {
  readonly batch: Dim;
  readonly frames: Dim;
  /** Latent height and width; multiples of 2^(blocks-1). */
  readonly height: Dim;
  readonly width: Dim;
  /** Text tokens. */
  readonly tokens: Dim;
  /** Rows of text: as many as `batch` (the default), or `batch * frames` where it changes over the frames. */
  readonly textRows?: Dim;
}

export const SYMBOLIC_UNET_SIZES: UnetSizes = {
  batch: "B",
  frames: "F",
  height: "H",
  width: "W",
  tokens: "S",
  textRows: "T",
};

export interface UnetOptions {
  readonly shape: UnetMotionShape;
  /** UNet and motion adapter tensors in one set, under diffusers' module paths. */
  readonly weights: WeightSet;
  readonly target: Target;
  /** Make LoRA A/B matrices graph inputs: of every attention and feed-forward layer, or of convolutions too. */
  readonly lora: LoraScope;
  readonly sizes?: UnetSizes;
}

interface UnetInputs {
  readonly sizes: UnetSizes;
  readonly text: Value;
  /** SiLU of the time embedding, one row per frame image [B*F, width]. */
  readonly time: Value;
}

/**
 * The denoiser of AnimateDiff: UNet2DConditionModel with motion modules (diffusers UNetMotionModel),
 * in SDXL form (pooled text and size conditioning) or SD 1.5 form.
 *
 * Inputs: `sample` [B, C, F, h, w] latents; `timestep` float32 scalar; `encoder_hidden_states` [T, S, D]
 * with T = B, or B*F for text that changes over the frames;
 * SDXL also `text_embeds` [B, P] and `time_ids` float32 [B, 6] (original height and width, crop top and
 * left, target height and width). Output: `out_sample` [B, C', F, h, w].
 * All are float32, LoRA matrices are in the target's type.
 */
export function buildUnetMotion({
  shape,
  weights,
  target,
  lora,
  sizes = SYMBOLIC_UNET_SIZES,
}: UnetOptions): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const ops = target.bind(g, { lora });
  const { batch, frames, height, width, tokens, textRows = batch } = sizes;
  const sample = g.floatInput("sample", [batch, shape.inChannels, frames, height, width]);
  const timestep = g.input("timestep", "float32", []);
  const text = g.floatInput("encoder_hidden_states", [textRows, tokens, shape.down[0]?.crossDim ?? 0]);
  const inputs = { sizes, text, time: timeEmbedding(ops, shape, timestep, sizes) };

  const width0 = shape.down[0]?.channels ?? 0;
  let stream = settledStream(ops.conv(ops.fromVideo(sample), "conv_in", { outChannels: width0, kernel: 3 }));
  const skips: Residual<FeatureMap>[] = [stream];
  for (const [i, block] of shape.down.entries()) {
    for (let j = 0; j < block.layers; j++) {
      stream = unetLayer(ops, shape, inputs, block, stream, `down_blocks.${i}`, j);
      skips.push(stream);
    }
    if (i === shape.down.length - 1) continue;
    stream = downsample(ops, shape, stream, `down_blocks.${i}.downsamplers.0.conv`);
    skips.push(stream);
  }
  stream = midBlock(ops, shape, inputs, stream);
  for (const [i, block] of shape.up.entries()) {
    for (let j = 0; j < block.layers; j++) {
      const skip = skips.pop();
      if (!skip) throw new Error("the up blocks have more layers than the down blocks made skips");
      const joined = ops.concatChannels(ops.settleMap(stream), ops.settleMap(skip));
      stream = unetLayer(ops, shape, inputs, block, settledStream(joined), `up_blocks.${i}`, j);
    }
    if (i < shape.up.length - 1) stream = upsample(ops, block, stream, `up_blocks.${i}.upsamplers.0.conv`);
  }
  const norm = { groups: shape.groups, epsilon: shape.epsilon, silu: true };
  const { normed } = ops.groupNorm(stream, "conv_norm_out", norm);
  const out = ops.conv(normed, "conv_out", { outChannels: shape.outChannels, kernel: 3 });
  g.floatOutput("out_sample", ops.toVideo(out, batch, frames));
  return g.build("unet_motion");
}

/** Time (and SDXL size) embedding, SiLU applied, repeated for every frame: [B*F, 4 * channels]. */
function timeEmbedding(ops: TargetOps, shape: UnetMotionShape, timestep: Value, sizes: UnetSizes): Value {
  const { g } = ops;
  const width = shape.down[0]?.channels ?? 0;
  const { batch, frames } = sizes;
  let embedding = embeddingMlp(ops, sinusoid(ops, op.reshape(g, timestep, [1, 1]), width), "time_embedding");
  if (shape.textTime) {
    const { timeDim, textDim } = shape.textTime;
    const pooled = g.floatInput("text_embeds", [batch, textDim]);
    const ids = g.input("time_ids", "float32", [batch, 6]);
    const waves = sinusoid(ops, op.reshape(g, ids, [mulDims(batch, 6), 1]), timeDim);
    const sizesEmbedding = op.reshape(g, waves, [batch, 6 * timeDim]);
    const added = embeddingMlp(ops, op.concat(g, [pooled, sizesEmbedding], 1), "add_embedding");
    embedding = op.add(g, added, embedding);
  }
  const channels = 4 * width;
  const row = op.unsqueeze(g, ops.silu(embedding), [1]);
  return op.reshape(g, op.expand(g, row, [batch, frames, channels]), [mulDims(batch, frames), channels]);
}

/** Resnet, spatial transformer and motion module of one layer. */
function unetLayer(
  ops: TargetOps,
  shape: UnetMotionShape,
  inputs: UnetInputs,
  block: UnetBlock,
  stream: Residual<FeatureMap>,
  path: string,
  layer: number,
): Residual<FeatureMap> {
  const resnet = resnetBlock(ops, stream, `${path}.resnets.${layer}`, {
    outChannels: block.channels,
    groups: shape.groups,
    epsilon: shape.epsilon,
    time: inputs.time,
  });
  const seen = spatial(ops, shape, inputs, block, resnet, path, layer);
  return motion(ops, shape, inputs, block, seen, path, layer);
}

function spatial(
  ops: TargetOps,
  shape: UnetMotionShape,
  { text, sizes }: UnetInputs,
  block: UnetBlock,
  stream: Residual<FeatureMap>,
  path: string,
  layer: number,
): Residual<FeatureMap> {
  const layers = block.spatialLayers?.[layer];
  if (layers === undefined) return stream;
  const { batch, frames } = sizes;
  const options = { layers, heads: block.heads, groups: shape.groups, batch, frames, text };
  return spatialTransformer(ops, stream, `${path}.attentions.${layer}`, options);
}

function motion(
  ops: TargetOps,
  shape: UnetMotionShape,
  { sizes }: UnetInputs,
  block: UnetBlock,
  stream: Residual<FeatureMap>,
  path: string,
  layer: number,
): Residual<FeatureMap> {
  const layers = block.motionLayers?.[layer];
  const heads = block.motionHeads[layer];
  if (layers === undefined || heads === undefined) return stream;
  const { groups, maxFrames } = shape;
  const options = { layers, heads, groups, maxFrames, batch: sizes.batch, frames: sizes.frames };
  return motionModule(ops, stream, `${path}.motion_modules.${layer}`, options);
}

function midBlock(
  ops: TargetOps,
  shape: UnetMotionShape,
  inputs: UnetInputs,
  stream: Residual<FeatureMap>,
): Residual<FeatureMap> {
  const block = shape.mid;
  const resnet = {
    outChannels: block.channels,
    groups: shape.groups,
    epsilon: shape.epsilon,
    time: inputs.time,
  };
  let middle = resnetBlock(ops, stream, "mid_block.resnets.0", resnet);
  for (let i = 0; i < block.layers; i++) {
    middle = spatial(ops, shape, inputs, block, middle, "mid_block", i);
    middle = motion(ops, shape, inputs, block, middle, "mid_block", i);
    middle = resnetBlock(ops, middle, `mid_block.resnets.${i + 1}`, resnet);
  }
  return middle;
}

function downsample(ops: TargetOps, shape: UnetMotionShape, stream: Residual<FeatureMap>, path: string) {
  const map = ops.settleMap(stream);
  const padding = shape.downsamplePadding === 0 ? "end" : "same";
  return settledStream(ops.conv(map, path, { outChannels: map.channels, kernel: 3, stride: 2, padding }));
}

function upsample(ops: TargetOps, block: UnetBlock, stream: Residual<FeatureMap>, path: string) {
  const large = ops.upsample(ops.settleMap(stream));
  return settledStream(ops.conv(large, path, { outChannels: block.channels, kernel: 3 }));
}

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
  /**
   * Makes the graph predict two sampling steps in one run: the second with the deep features of the first, so that
   * it computes only so many layers anew, the last ones of the last up block. 1 to that block's layers.
   */
  readonly reuse?: number;
  /**
   * Adds the input `reserve` int64 [1]: so many numbers of four bytes are taken, and left, before anything else. An arena
   * that grows by what is asked for then has one piece that all layers share; of many pieces, none larger than one
   * tensor, it would keep twice as much.
   */
  readonly reserve?: boolean;
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
 * All are float32, LoRA matrices are in the target's type. With `reserve` also `reserve` int64 [1].
 *
 * With `reuse` also the inputs `next.timestep`; `next.base` [C, F, h, w] and `next.mix` [B], from which the second
 * step's sample follows: `base + sum over b of mix[b] * out_sample[b]`, the same for every row; and the output
 * `next.out_sample`. (DeepCache, arXiv 2312.00858, within one run: the features never leave the device.)
 */
export function buildUnetMotion({
  shape,
  weights,
  target,
  lora,
  sizes = SYMBOLIC_UNET_SIZES,
  reuse,
  reserve = false,
}: UnetOptions): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: target.dtype });
  const ops = target.bind(g, { lora });
  const { batch, frames, height, width, tokens, textRows = batch } = sizes;
  const sample = g.floatInput("sample", [batch, shape.inChannels, frames, height, width]);
  const timestep = g.input("timestep", "float32", []);
  const text = g.floatInput("encoder_hidden_states", [textRows, tokens, shape.down[0]?.crossDim ?? 0]);
  const time = timeEmbedding(ops, shape, sizes);
  const unet: Unet = { ops, shape, inputs: { sizes, text, time: time(timestep) } };
  const first = wholePass(unet, reserve ? afterReserve(g, sample) : sample, reuse ?? 0);
  const out = g.floatOutput("out_sample", first.out);
  if (reuse === undefined) return g.build("unet_motion");
  if (!first.deep) throw new RangeError(`reuse: ${reuse} is not within the layers of the last up block`);
  const next = nextSample(g, out, shape, sizes);
  const later = { ...unet.inputs, time: time(g.input("next.timestep", "float32", [])) };
  g.floatOutput("next.out_sample", shallowPass({ ...unet, inputs: later }, next, first.deep, reuse));
  return g.build("unet_motion");
}

/** `sample`, which is not there before the reserve was taken and left. */
function afterReserve(g: GraphBuilder, sample: Value): Value {
  const zero = op.floats(g, Float32Array.of(0), [1], "float32");
  const whole = g.node("Expand", [zero, g.input("reserve", "int64", [1])], { shape: ["reserved"] });
  return op.add(g, sample, op.cast(g, op.slice(g, whole, 0, 0, 1, 1), sample.dtype));
}

interface Unet {
  readonly ops: TargetOps;
  readonly shape: UnetMotionShape;
  readonly inputs: UnetInputs;
}

/** @returns `deep`: what goes into the last `reuse` layers of the last up block */
function wholePass(unet: Unet, sample: Value, reuse: number): { out: Value; deep: FeatureMap | undefined } {
  const { ops, shape, inputs } = unet;
  let stream = entrance(unet, sample);
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
  let deep: FeatureMap | undefined;
  for (const [i, block] of shape.up.entries()) {
    for (let j = 0; j < block.layers; j++) {
      if (i === shape.up.length - 1 && j === block.layers - reuse) deep = ops.settleMap(stream);
      stream = upLayer(unet, i, j, stream, skips.pop());
    }
    if (i < shape.up.length - 1) stream = upsample(ops, block, stream, `up_blocks.${i}.upsamplers.0.conv`);
  }
  return { out: exit(unet, stream), deep };
}

/** The first layers of the first down block and the last `reuse` ones of the last up block. */
function shallowPass(unet: Unet, sample: Value, deep: FeatureMap, reuse: number): Value {
  const { ops, shape, inputs } = unet;
  let stream = entrance(unet, sample);
  const skips: Residual<FeatureMap>[] = [stream];
  const [down] = shape.down;
  for (let j = 0; down && j < reuse - 1; j++) {
    stream = unetLayer(ops, shape, inputs, down, stream, "down_blocks.0", j);
    skips.push(stream);
  }
  const last = shape.up.length - 1;
  const layers = shape.up[last]?.layers ?? 0;
  let up = settledStream(deep);
  for (let j = layers - reuse; j < layers; j++) up = upLayer(unet, last, j, up, skips.pop());
  return exit(unet, up);
}

function entrance({ ops, shape }: Unet, sample: Value): Residual<FeatureMap> {
  const outChannels = shape.down[0]?.channels ?? 0;
  return settledStream(ops.conv(ops.fromVideo(sample), "conv_in", { outChannels, kernel: 3 }));
}

function upLayer(
  { ops, shape, inputs }: Unet,
  i: number,
  j: number,
  stream: Residual<FeatureMap>,
  skip: Residual<FeatureMap> | undefined,
): Residual<FeatureMap> {
  const block = shape.up[i];
  if (!skip || !block) throw new Error("the up blocks have more layers than the down blocks made skips");
  const joined = ops.concatChannels(ops.settleMap(stream), ops.settleMap(skip));
  return unetLayer(ops, shape, inputs, block, settledStream(joined), `up_blocks.${i}`, j);
}

function exit({ ops, shape, inputs }: Unet, stream: Residual<FeatureMap>): Value {
  const norm = { groups: shape.groups, epsilon: shape.epsilon, silu: true };
  const { normed } = ops.groupNorm(stream, "conv_norm_out", norm);
  const out = ops.conv(normed, "conv_out", { outChannels: shape.outChannels, kernel: 3 });
  return ops.toVideo(out, inputs.sizes.batch, inputs.sizes.frames);
}

/** The sample of the second step: an affine map of the first one's output, in float32. */
function nextSample(g: GraphBuilder, out: Value, shape: UnetMotionShape, sizes: UnetSizes): Value {
  const { batch, frames, height, width } = sizes;
  const base = g.input("next.base", "float32", [shape.inChannels, frames, height, width]);
  const mix = g.input("next.mix", "float32", [batch]);
  const weighted = op.mul(g, out, op.reshape(g, mix, [batch, 1, 1, 1, 1]));
  const one = op.add(g, base, op.reduce(g, "ReduceSum", weighted, [0], false));
  const all = op.expand(g, op.unsqueeze(g, one, [0]), [batch, shape.inChannels, frames, height, width]);
  return op.cast(g, all, g.dtype);
}

/**
 * Time (and SDXL size) embeddings, SiLU applied, repeated for every frame: timestep to [B*F, 4 * channels].
 */
function timeEmbedding(ops: TargetOps, shape: UnetMotionShape, sizes: UnetSizes): (timestep: Value) => Value {
  const { g } = ops;
  const width = shape.down[0]?.channels ?? 0;
  const { batch, frames } = sizes;
  const added = shape.textTime && sizeEmbedding(ops, shape.textTime, batch);
  return (timestep) => {
    const waves = sinusoid(ops, op.reshape(g, timestep, [1, 1]), width);
    const own = embeddingMlp(ops, waves, "time_embedding");
    const embedding = added ? op.add(g, added, own) : own;
    const channels = 4 * width;
    const row = op.unsqueeze(g, ops.silu(embedding), [1]);
    return op.reshape(g, op.expand(g, row, [batch, frames, channels]), [mulDims(batch, frames), channels]);
  };
}

function sizeEmbedding(
  ops: TargetOps,
  { timeDim, textDim }: NonNullable<UnetMotionShape["textTime"]>,
  batch: Dim,
): Value {
  const { g } = ops;
  const pooled = g.floatInput("text_embeds", [batch, textDim]);
  const ids = g.input("time_ids", "float32", [batch, 6]);
  const waves = sinusoid(ops, op.reshape(g, ids, [mulDims(batch, 6), 1]), timeDim);
  const sizes = op.reshape(g, waves, [batch, 6 * timeDim]);
  return embeddingMlp(ops, op.concat(g, [pooled, sizes], 1), "add_embedding");
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
  return settledStream(ops.upsampledConv(ops.settleMap(stream), path, block.channels));
}

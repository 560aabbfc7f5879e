import { type Dim, divDim, type GraphBuilder, op, type Value } from "../builder/index.ts";
import type { ConvOptions, GroupNormOptions } from "./target.ts";

/** The operators of the NHWC target that differ between the fused kernels of a GPU and plain operators. */
export interface NhwcKernels {
  /** 3x3 convolution of [N, H, W, C] with the torch weight [out, in, 3, 3] at `path`. */
  conv(g: GraphBuilder, x: Value, path: string, options: ConvOptions, bias?: Value): Value;
  /** 2x2 convolution, a pixel of zeros around [N, H, W, C]; weight [out, 2, 2, in]. Gives [N, H + 1, W + 1, out]. */
  conv2x2(g: GraphBuilder, x: Value, weight: Value, outChannels: number): Value;
  groupNorm(g: GraphBuilder, x: Value, path: string, options: GroupNormOptions): Value;
  /** Group norm of `x + skip (+ bias)`; `skip` has the shape of `x`. */
  skipGroupNorm(
    g: GraphBuilder,
    x: Value,
    path: string,
    skip: Value,
    bias: Value | undefined,
    options: GroupNormOptions,
  ): { normed: Value; sum: Value };
  /** Group norm of `x + shift (+ bias)` with `shift` [N, C], where nobody needs the sum. */
  shiftedGroupNorm(
    g: GraphBuilder,
    x: Value,
    path: string,
    shift: Value,
    bias: Value | undefined,
    options: GroupNormOptions,
  ): Value;
  /** `left * gelu(right)` of the halves of `x + bias`. */
  biasSplitGelu(g: GraphBuilder, x: Value, bias: Value): Value;
  /** `x + bias + skip` of [N, S, C] values. */
  biasAdd(g: GraphBuilder, x: Value, bias: Value, skip: Value): Value;
}

const CONTRIB = "com.microsoft";

function silu(g: GraphBuilder, x: Value): Value {
  return g.node("QuickGelu", [x], {}, { alpha: { f: 1 } }, CONTRIB);
}

/** A function that makes `normed` from a summed map [N, H, W, C]. */
export type NormForm = NhwcKernels["groupNorm"];

/** Group norm in float32 from standard operators; any channel and group count. */
export const plainGroupNorm: NormForm = (g, x, path, { groups, epsilon, silu: activate }) => {
  const channels = x.shape[3];
  if (typeof channels !== "number") throw new Error("the number of channels must be known");
  const pixels = op.flatten(g, op.cast(g, x, "float32"), 1, 3);
  const split = [pixels.shape[0] ?? 1, pixels.shape[1] ?? 1, groups, channels / groups];
  const grouped = op.reshape(g, pixels, split);
  const centred = op.sub(g, grouped, op.reduce(g, "ReduceMean", grouped, [1, 3]));
  const variance = op.reduce(g, "ReduceMean", op.mul(g, centred, centred), [1, 3]);
  const deviation = op.unary(g, "Sqrt", op.add(g, variance, op.scalar(g, epsilon, variance)));
  const unit = op.reshape(g, op.div(g, centred, deviation), x.shape);
  const scaled = op.mul(g, unit, g.weight(`${path}.weight`, { dtype: "float32" }));
  const shifted = op.add(g, scaled, g.weight(`${path}.bias`, { dtype: "float32" }));
  return op.cast(g, activate ? silu(g, shifted) : shifted, x.dtype);
};

/** The norms of sums where no kernel adds. */
function addThenNorm(form: NormForm): Pick<NhwcKernels, "groupNorm" | "skipGroupNorm" | "shiftedGroupNorm"> {
  const biased = (g: GraphBuilder, x: Value, bias: Value | undefined) => (bias ? op.add(g, x, bias) : x);
  return {
    groupNorm: form,
    skipGroupNorm(g, x, path, skip, bias, options) {
      const sum = op.add(g, biased(g, x, bias), skip);
      return { normed: form(g, sum, path, options), sum };
    },
    shiftedGroupNorm(g, x, path, shift, bias, options) {
      const row = op.unsqueeze(g, biased(g, shift, bias), [1, 2]);
      return form(g, op.add(g, x, row), path, options);
    },
  };
}

function plainSplitGelu(g: GraphBuilder, x: Value, bias: Value): Value {
  const [value, gate] = op.split(g, op.add(g, x, bias), 2, -1);
  if (!value || !gate) throw new Error("Split made no output");
  return op.mul(g, value, g.node("Gelu", [gate], {}, {}, CONTRIB));
}

/** Standard operators only: what the fused kernels compute, on any device. */
export const plainKernels: NhwcKernels = {
  conv: (g, x, path, options, bias) => planarConv(g, x, g.weight(`${path}.weight`), options, bias),
  conv2x2(g, x, weight, outChannels) {
    const attributes = { kernel_shape: { ints: [2, 2] }, pads: { ints: [1, 1, 1, 1] } };
    const planes = op.transpose(g, x, [0, 3, 1, 2]);
    const [n = 1, h = 1, w = 1] = bordered(x, outChannels);
    const inputs = [planes, op.transpose(g, weight, [0, 3, 1, 2])];
    return op.transpose(
      g,
      g.node("Conv", inputs, { shape: [n, outChannels, h, w] }, attributes),
      [0, 2, 3, 1],
    );
  },
  ...addThenNorm(plainGroupNorm),
  biasSplitGelu: plainSplitGelu,
  biasAdd: (g, x, bias, skip) => op.add(g, op.add(g, x, bias), skip),
};

/** 3x3 convolution of [N, H, W, C] by planes, which takes a weight [out, in, 3, 3] that is made in the graph. */
export function planarConv(
  g: GraphBuilder,
  x: Value,
  weight: Value,
  { outChannels, stride = 1, padding = "same" }: ConvOptions,
  bias?: Value,
): Value {
  const pads = padding === "same" ? [1, 1, 1, 1] : [0, 0, 1, 1];
  const attributes = {
    kernel_shape: { ints: [3, 3] },
    strides: { ints: [stride, stride] },
    pads: { ints: pads },
  };
  const [n = 1, h = 1, w = 1] = outputShape(x, outChannels, stride);
  const inputs = [op.transpose(g, x, [0, 3, 1, 2]), weight, bias];
  const y = g.node("Conv", inputs, { shape: [n, outChannels, h, w] }, attributes);
  return op.transpose(g, y, [0, 2, 3, 1]);
}

function outputShape(x: Value, outChannels: number, stride: 1 | 2) {
  const [n = 1, h = 1, w = 1] = x.shape;
  return [n, divDim(h, stride), divDim(w, stride), outChannels];
}

/** Sizes that a dimension can't say: one more than H. */
function bordered(x: Value, outChannels: number): readonly Dim[] {
  const [n = 1, h = 1, w = 1] = x.shape;
  const more = (d: Dim) => (typeof d === "number" ? d + 1 : `border of ${d}`);
  return [n, more(h), more(w), outChannels];
}

/** Channel counts of the gate that the BiasSplitGelu kernel is built for. */
const SPLIT_GELU_WIDTHS = new Set([1280, 2560, 5120]);

/**
 * The fused kernels of the CUDA provider (measured on an H200 with ONNX Runtime 1.30). Sizes they are not
 * built for take the plain form.
 */
export function fusedKernels(): NhwcKernels {
  const fits = (x: Value, { groups }: GroupNormOptions) => {
    const channels = x.shape[3];
    return groups === 32 && typeof channels === "number" && (channels / groups) % 2 === 0;
  };
  const norm = ({ groups, epsilon, silu: activate }: GroupNormOptions) => ({
    epsilon: { f: epsilon },
    groups: { i: groups },
    activation: { i: activate ? 1 : 0 },
    channels_last: { i: 1 },
  });
  const affine = (g: GraphBuilder, path: string) =>
    ["weight", "bias"].map((name) => g.weight(`${path}.${name}`, { dtype: "float32" }));
  return {
    conv: nhwcConv,
    conv2x2(g, x, weight, outChannels) {
      const attributes = { kernel_shape: { ints: [2, 2] }, pads: { ints: [1, 1, 1, 1] }, group: { i: 1 } };
      return g.node("NhwcConv", [x, weight], { shape: bordered(x, outChannels) }, attributes, CONTRIB);
    },
    groupNorm(g, x, path, options) {
      if (!fits(x, options)) return plainGroupNorm(g, x, path, options);
      return g.node("GroupNorm", [x, ...affine(g, path)], {}, norm(options), CONTRIB);
    },
    skipGroupNorm(g, x, path, skip, bias, options) {
      if (!fits(x, options)) return plainKernels.skipGroupNorm(g, x, path, skip, bias, options);
      const inputs = [x, ...affine(g, path), skip, bias];
      const out = { dtype: x.dtype, shape: x.shape };
      const [normed, sum] = g.nodes("SkipGroupNorm", inputs, [out, out], norm(options), CONTRIB);
      if (!normed || !sum) throw new Error("SkipGroupNorm made no output");
      return { normed, sum };
    },
    shiftedGroupNorm(g, x, path, shift, bias, options) {
      if (!fits(x, options)) return plainKernels.shiftedGroupNorm(g, x, path, shift, bias, options);
      return g.node("SkipGroupNorm", [x, ...affine(g, path), shift, bias], {}, norm(options), CONTRIB);
    },
    biasSplitGelu(g, x, bias) {
      const width = x.shape.at(-1);
      if (typeof width !== "number" || !SPLIT_GELU_WIDTHS.has(width / 2)) return plainSplitGelu(g, x, bias);
      return g.node("BiasSplitGelu", [x, bias], { shape: [...x.shape.slice(0, -1), width / 2] }, {}, CONTRIB);
    },
    biasAdd: (g, x, bias, skip) => g.node("BiasAdd", [x, bias, skip], {}, {}, CONTRIB),
  };
}

/** cuDNN knows no uneven padding: zeros at the end are added by a Pad of their own. */
function nhwcConv(
  g: GraphBuilder,
  x: Value,
  path: string,
  { outChannels, stride = 1, padding = "same" }: ConvOptions,
  bias?: Value,
): Value {
  const weight = g.once(`nhwc ${path}`, () => op.transpose(g, g.weight(`${path}.weight`), [0, 2, 3, 1]));
  const shape = outputShape(x, outChannels, stride);
  const padded = padding === "end" ? g.node("Pad", [x, g.int64s([0, 0, 0, 0, 0, 1, 1, 0])], {}) : x;
  const around = padding === "end" ? 0 : 1;
  const attributes = {
    kernel_shape: { ints: [3, 3] },
    strides: { ints: [stride, stride] },
    pads: { ints: [around, around, around, around] },
    dilations: { ints: [1, 1] },
    group: { i: 1 },
  };
  return g.node("NhwcConv", [padded, weight, bias], { shape }, attributes, CONTRIB);
}

/** The same kernels with another form of group norm. */
export function withGroupNorm(kernels: NhwcKernels, form: NormForm): NhwcKernels {
  return { ...kernels, ...addThenNorm(form) };
}

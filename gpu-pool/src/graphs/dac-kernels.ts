import { NATIVE_DOMAIN } from "./builder/encode.ts";
import { type Dim, type GraphBuilder, op, type Shape, type Value } from "./builder/index.ts";

/**
 * How DAC's convolutions are computed; each way gives the same numbers up to rounding.
 * - `conv1d`: ONNX's own operators over [1, channels, time].
 * - `conv2d`: the same over [1, channels, 1, time]. CUDA's provider makes [1, channels, time, 1] of one dimension, and
 *   either way builds a new cuDNN plan whenever the length changes.
 * - `matmul`: one matrix product per convolution over [channels, time], of shifted copies; a new length costs nothing.
 * - `native`: the same, the copies by an own operator (gpu-pool/native), which computes Snake on the way.
 */
export type DacKernels = "conv1d" | "conv2d" | "matmul" | "native";

export interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly padding?: number;
  /** Name of the time axis of the result; by default it stays as it is. */
  readonly time?: string;
  /** Path of the Snake before it. */
  readonly snake?: string;
}

/** A transposed convolution of kernel `2 * stride`. */
export interface UpsampleOptions {
  readonly stride: number;
  readonly time: string;
  readonly snake: string;
}

/** The operators of one way. `weight` is always as torch has it, [a, b, taps], and `bias` [channels]. */
export interface DacOperators {
  /** From and to [channels, time]. */
  enter(g: GraphBuilder, x: Value): Value;
  leave(g: GraphBuilder, x: Value): Value;
  conv(g: GraphBuilder, x: Value, weight: Value, bias: Value, options: ConvOptions): Value;
  upsample(g: GraphBuilder, x: Value, weight: Value, bias: Value, options: UpsampleOptions): Value;
}

/**
 * `x + sin²(αx) / α` with one α per channel, or `x` where no path is given.
 * @param shape in which the α meet the activations
 */
function snake(
  g: GraphBuilder,
  x: Value,
  path: string | undefined,
  shape: (channels: number) => readonly number[],
): Value {
  if (path === undefined) return x;
  const alpha = g.weight(`${path}.alpha`, { shape: shape(channelsOf(g, path)) });
  const inverse = g.once(`inverse ${path}`, () =>
    op.unary(g, "Reciprocal", op.add(g, alpha, op.scalar(g, 1e-9, alpha))),
  );
  const wave = op.unary(g, "Sin", op.mul(g, alpha, x));
  return op.add(g, x, op.mul(g, inverse, op.mul(g, wave, wave)));
}

const channelsOf = (g: GraphBuilder, path: string) => g.weights.get(`${path}.alpha`).shape[1] ?? 1;

const samePadding = ({ kernel, dilation = 1, padding }: ConvOptions) =>
  padding ?? (dilation * (kernel - 1)) / 2;

/** @param height a dimension of size 1 before the time, or none */
function convolutions(height: readonly 1[]): DacOperators {
  const axes = height.length === 0 ? [0] : [0, 2];
  const sides = (value: number, across: number) => ({ ints: [...height.map(() => across), value] });
  const pads = (value: number) => {
    const side = [...height.map(() => 0), value];
    return { ints: [...side, ...side] };
  };
  const filter = (g: GraphBuilder, weight: Value) =>
    height.length === 0 ? weight : op.unsqueeze(g, weight, [2]);
  const perChannel = (channels: number) => [1, channels, ...height, 1];
  const shaped = (channels: Dim | undefined, time: Dim | undefined) => [
    1,
    channels ?? 1,
    ...height,
    time ?? 1,
  ];
  return {
    enter: (g, x) => op.unsqueeze(g, x, axes),
    leave: (g, x) => op.squeeze(g, x, axes),
    conv(g, x, weight, bias, options) {
      const { kernel, stride = 1, dilation = 1 } = options;
      return g.node(
        "Conv",
        [snake(g, x, options.snake, perChannel), filter(g, weight), bias],
        { shape: shaped(weight.shape[0], options.time ?? x.shape.at(-1)) },
        {
          kernel_shape: sides(kernel, 1),
          strides: sides(stride, 1),
          dilations: sides(dilation, 1),
          pads: pads(samePadding(options)),
        },
      );
    },
    upsample(g, x, weight, bias, { stride, time, snake: path }) {
      return g.node(
        "ConvTranspose",
        [snake(g, x, path, perChannel), filter(g, weight), bias],
        { shape: shaped(weight.shape[1], time) },
        {
          kernel_shape: sides(2 * stride, 1),
          strides: sides(stride, 1),
          pads: pads(Math.ceil(stride / 2)),
        },
      );
    },
  };
}

interface Taps {
  readonly taps: number;
  readonly dilation: number;
  readonly padding: number;
  readonly stride: number;
  /** Path of the Snake that the samples go through. */
  readonly snake: string | undefined;
  /** Number of results. */
  readonly time: Dim;
}

/**
 * The samples that each result of a convolution weighs, [taps * channels, time]: result `t` weighs what lies at
 * `t * stride + tap * dilation - padding`, nothing beyond the ends.
 */
type TakeTaps = (g: GraphBuilder, x: Value, taps: Taps) => Value;

/** @param take how the samples are put beside each other */
function products(take: TakeTaps): DacOperators {
  return {
    enter: (_, x) => x,
    leave: (_, x) => x,
    conv(g, x, weight, bias, options) {
      const [outputs = 1, inputs = 1, taps = 1] = weight.shape.map(Number);
      const matrix = op.reshape(g, op.transpose(g, weight, [0, 2, 1]), [outputs, taps * inputs]);
      const { stride = 1, dilation = 1, time = x.shape[1] ?? 1 } = options;
      const padding = samePadding(options);
      const samples = take(g, x, { taps, dilation, padding, stride, snake: options.snake, time });
      return op.add(g, op.matmul(g, matrix, samples), column(g, bias));
    },
    /** Every result is a sum over two samples: one product of the input beside itself, a step later. */
    upsample(g, x, weight, bias, { stride, time, snake: path }) {
      const [inputs = 1, outputs = 1] = weight.shape.map(Number);
      const halves = op.reshape(g, weight, [inputs, outputs, 2, stride]);
      const matrix = op.reshape(g, op.transpose(g, halves, [2, 0, 1, 3]), [2 * inputs, outputs * stride]);
      const longer = `${time}+1`;
      const both = take(g, x, { taps: 2, dilation: -1, padding: 0, stride: 1, snake: path, time: longer });
      const product = g.node(
        "FusedMatMul",
        [matrix, both],
        { shape: [outputs * stride, longer] },
        { transA: { i: 1 } },
        "com.microsoft",
      );
      const phases = reshaped(g, product, [outputs, stride, longer], [outputs, stride, -1]);
      const whole = reshaped(g, op.transpose(g, phases, [0, 2, 1]), [outputs, `${time}+`], [outputs, -1]);
      const cut = Math.ceil(stride / 2);
      return op.add(g, op.slice(g, whole, 1, cut, g.int64s([-cut]), time), column(g, bias));
    },
  };
}

/** Slices with constant bounds: indices that depend on the length would be computed on the CPU and copied. */
const slicedTaps: TakeTaps = (g, x, { taps, dilation, padding, stride, snake: path, time }) => {
  const [channels = 1, length = 1] = x.shape;
  const heard = snake(g, x, path, (count) => [count, 1]);
  if (taps === 1 && stride === 1 && padding === 0) return heard;
  const reach = dilation * (taps - 1);
  // Where taps go backwards, the first one is the last in time.
  const side = padding - Math.min(0, reach);
  const padded = pad(g, heard, side, `${length}+${2 * side}`);
  const copies = Array.from({ length: taps }, (_, tap) => {
    const from = dilation < 0 ? (taps - 1 - tap) * -dilation : tap * dilation;
    const beyond = Math.abs(reach) - from;
    const bounds = [from, beyond === 0 ? Number.MAX_SAFE_INTEGER : -beyond, 1, stride];
    const [begin, end, axis, step] = bounds.map((bound) => g.int64s([bound]));
    return g.node("Slice", [padded, begin, end, axis, step], { shape: [channels, time] });
  });
  return op.concat(g, copies, 0);
};

const nativeTaps: TakeTaps = (g, x, { snake: path, time, ...attributes }) => {
  const alpha = path && g.weight(`${path}.alpha`, { shape: [channelsOf(g, path)] });
  return g.node(
    "SnakeTaps",
    [x, alpha || undefined],
    { shape: [Number(x.shape[0]) * attributes.taps, time] },
    Object.fromEntries(Object.entries(attributes).map(([name, i]) => [name, { i }])),
    NATIVE_DOMAIN,
  );
};

function pad(g: GraphBuilder, x: Value, side: number, time: string): Value {
  const shape = [x.shape[0] ?? 1, time];
  return g.node("Pad", [x, g.int64s([0, side, 0, side])], { shape });
}

/** A reshape whose sizes are no products of the graph's symbols. */
function reshaped(g: GraphBuilder, x: Value, shape: Shape, target: readonly number[]): Value {
  return g.node("Reshape", [x, g.int64s(target)], { shape });
}

function column(g: GraphBuilder, bias: Value): Value {
  return op.reshape(g, bias, [Number(bias.shape[0]), 1]);
}

export const DAC_OPERATORS: Readonly<Record<DacKernels, DacOperators>> = {
  conv1d: convolutions([]),
  conv2d: convolutions([1]),
  matmul: products(slicedTaps),
  native: products(nativeTaps),
};

import { type Dim, type GraphBuilder, op, type Shape, type Value } from "./builder/index.ts";

/**
 * How DAC's convolutions are computed; each way gives the same numbers up to rounding.
 * - `conv1d`: ONNX's own operators over [1, channels, time].
 * - `conv2d`: the same over [1, channels, 1, time]. CUDA's provider makes [1, channels, time, 1] of one dimension, and
 *   either way builds a new cuDNN plan whenever the length changes.
 * - `matmul`: one matrix product per convolution over [channels, time], of shifted copies; a new length costs nothing.
 */
export type DacKernels = "conv1d" | "conv2d" | "matmul";

export interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly padding?: number;
  /** Name of the time axis of the result; by default it stays as it is. */
  readonly time?: string;
}

/** The operators of one way. `weight` is always as torch has it, [a, b, taps], and `bias` [channels]. */
export interface DacOperators {
  /** From and to [channels, time]. */
  enter(g: GraphBuilder, x: Value): Value;
  leave(g: GraphBuilder, x: Value): Value;
  /** Shape in which one value per channel meets the activations. */
  perChannel(channels: number): readonly number[];
  conv(g: GraphBuilder, x: Value, weight: Value, bias: Value, options: ConvOptions): Value;
  /** Transposed convolution of kernel `2 * stride`. */
  upsample(g: GraphBuilder, x: Value, weight: Value, bias: Value, stride: number, time: string): Value;
}

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
  const shaped = (channels: Dim | undefined, time: Dim | undefined) => [
    1,
    channels ?? 1,
    ...height,
    time ?? 1,
  ];
  return {
    enter: (g, x) => op.unsqueeze(g, x, axes),
    leave: (g, x) => op.squeeze(g, x, axes),
    perChannel: (channels) => [1, channels, ...height, 1],
    conv(g, x, weight, bias, options) {
      const { kernel, stride = 1, dilation = 1 } = options;
      return g.node(
        "Conv",
        [x, filter(g, weight), bias],
        { shape: shaped(weight.shape[0], options.time ?? x.shape.at(-1)) },
        {
          kernel_shape: sides(kernel, 1),
          strides: sides(stride, 1),
          dilations: sides(dilation, 1),
          pads: pads(samePadding(options)),
        },
      );
    },
    upsample(g, x, weight, bias, stride, time) {
      return g.node(
        "ConvTranspose",
        [x, filter(g, weight), bias],
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

const products: DacOperators = {
  enter: (_, x) => x,
  leave: (_, x) => x,
  perChannel: (channels) => [channels, 1],
  conv(g, x, weight, bias, options) {
    const [outputs = 1, inputs = 1, taps = 1] = weight.shape.map(Number);
    const matrix = op.reshape(g, op.transpose(g, weight, [0, 2, 1]), [outputs, taps * inputs]);
    return op.add(g, op.matmul(g, matrix, shifted(g, x, options)), column(g, bias));
  },
  /** Every output sample is a sum over two input samples: one product of the input beside itself, a step later. */
  upsample(g, x, weight, bias, stride, time) {
    const [inputs = 1, outputs = 1] = weight.shape.map(Number);
    const longer = `${time}+1`;
    const halves = op.reshape(g, weight, [inputs, outputs, 2, stride]);
    const matrix = op.reshape(g, op.transpose(g, halves, [2, 0, 1, 3]), [2 * inputs, outputs * stride]);
    const both = op.concat(g, [pad(g, x, 0, 1, longer), pad(g, x, 1, 0, longer)], 0);
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

/**
 * The samples that each output sample of a convolution weighs, [taps * channels, time]. Slices with constant bounds:
 * indices that depend on the length would be computed on the CPU and copied.
 */
function shifted(g: GraphBuilder, x: Value, options: ConvOptions): Value {
  const { kernel, stride = 1, dilation = 1 } = options;
  const [channels = 1, length = 1] = x.shape;
  const time = options.time ?? length;
  const padding = samePadding(options);
  if (kernel === 1 && stride === 1 && padding === 0) return x;
  const padded = pad(g, x, padding, padding, `${length}+${2 * padding}`);
  const copies = Array.from({ length: kernel }, (_, tap) => {
    const beyond = (kernel - 1 - tap) * dilation;
    const bounds = [tap * dilation, beyond === 0 ? Number.MAX_SAFE_INTEGER : -beyond, 1, stride];
    const [from, to, axis, step] = bounds.map((bound) => g.int64s([bound]));
    return g.node("Slice", [padded, from, to, axis, step], { shape: [channels, time] });
  });
  return op.concat(g, copies, 0);
}

function pad(g: GraphBuilder, x: Value, before: number, after: number, time: string): Value {
  const shape = [x.shape[0] ?? 1, time];
  return g.node("Pad", [x, g.int64s([0, before, 0, after])], { shape });
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
  matmul: products,
};

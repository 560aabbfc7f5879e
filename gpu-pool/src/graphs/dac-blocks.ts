import { type GraphBuilder, op, type Value } from "./builder/index.ts";

/** Pieces of DAC, on [1, channels, time]; ported from transformers 5.17, models/dac/modeling_dac.py. */

/** `x + sin²(αx) / α` with one α per channel. */
export function snake(g: GraphBuilder, x: Value, path: string): Value {
  const alpha = g.weight(`${path}.alpha`);
  const inverse = g.once(`inverse ${path}`, () =>
    op.unary(g, "Reciprocal", op.add(g, alpha, op.scalar(g, 1e-9, alpha))),
  );
  const wave = op.unary(g, "Sin", op.mul(g, alpha, x));
  return op.add(g, x, op.mul(g, inverse, op.mul(g, wave, wave)));
}

/**
 * A convolution's weight. Checkpoints with weight norm still in place hold a direction `v` and a length `g` per
 * first axis instead, under the names of either of torch's two implementations.
 */
function convWeight(g: GraphBuilder, path: string): Value {
  const forms = [
    [`${path}.parametrizations.weight.original0`, `${path}.parametrizations.weight.original1`],
    [`${path}.weight_g`, `${path}.weight_v`],
  ] as const;
  const form = forms.find(([length]) => g.weights.has(length));
  if (!form) return g.weight(`${path}.weight`);
  return g.once(`weight norm ${path}`, () => {
    const direction = g.weight(form[1]);
    const norm = op.unary(g, "Sqrt", op.reduce(g, "ReduceSum", op.mul(g, direction, direction), [1, 2]));
    return op.mul(g, direction, op.div(g, g.weight(form[0]), norm));
  });
}

export interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly padding?: number;
  /** Name of the time axis of the result; by default it stays as it is. */
  readonly time?: string;
}

export function conv(g: GraphBuilder, x: Value, path: string, options: ConvOptions): Value {
  const weight = convWeight(g, path);
  const { kernel, stride = 1, dilation = 1, padding = (dilation * (kernel - 1)) / 2 } = options;
  return g.node(
    "Conv",
    [x, weight, g.weight(`${path}.bias`)],
    { shape: [1, weight.shape[0] ?? 1, options.time ?? x.shape[2] ?? 1] },
    {
      kernel_shape: { ints: [kernel] },
      strides: { ints: [stride] },
      dilations: { ints: [dilation] },
      pads: { ints: [padding, padding] },
    },
  );
}

/** Transposed convolution of kernel `2 * stride`. */
export function upsample(g: GraphBuilder, x: Value, path: string, stride: number, time: string): Value {
  const weight = convWeight(g, path);
  const padding = Math.ceil(stride / 2);
  return g.node(
    "ConvTranspose",
    [x, weight, g.weight(`${path}.bias`)],
    { shape: [1, weight.shape[1] ?? 1, time] },
    {
      kernel_shape: { ints: [2 * stride] },
      strides: { ints: [stride] },
      pads: { ints: [padding, padding] },
    },
  );
}

/** Residual unit: Snake, dilated convolution of 7 taps, Snake, pointwise convolution. */
export function residualUnit(g: GraphBuilder, x: Value, path: string, dilation: number): Value {
  const wide = conv(g, snake(g, x, `${path}.snake1`), `${path}.conv1`, { kernel: 7, dilation });
  return op.add(g, x, conv(g, snake(g, wide, `${path}.snake2`), `${path}.conv2`, { kernel: 1 }));
}

/** The three units of a level. */
export function residualUnits(g: GraphBuilder, x: Value, path: string): Value {
  return [1, 3, 9].reduce((h, dilation, i) => residualUnit(g, h, `${path}.res_unit${i + 1}`, dilation), x);
}

/** A pointwise convolution applied to [time, channels]. */
export function pointwise(g: GraphBuilder, x: Value, path: string): Value {
  const weight = convWeight(g, path);
  const [outputs = 1, inputs = 1] = weight.shape;
  const product = op.matmulTransposed(g, x, op.reshape(g, weight, [outputs, inputs]));
  return op.add(g, product, g.weight(`${path}.bias`));
}

import { type GraphBuilder, op, type Value } from "./builder/index.ts";
import type { ConvOptions, DacOperators, UpsampleOptions } from "./dac-kernels.ts";

/** Pieces of DAC; ported from transformers 5.17, models/dac/modeling_dac.py. */

/** A graph of DAC with the way in which its convolutions are computed. */
export interface DacGraph {
  readonly g: GraphBuilder;
  readonly operators: DacOperators;
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

export function conv({ g, operators }: DacGraph, x: Value, path: string, options: ConvOptions): Value {
  return operators.conv(g, x, convWeight(g, path), g.weight(`${path}.bias`), options);
}

export function upsample(
  { g, operators }: DacGraph,
  x: Value,
  path: string,
  options: UpsampleOptions,
): Value {
  return operators.upsample(g, x, convWeight(g, path), g.weight(`${path}.bias`), options);
}

/** Residual unit: Snake, dilated convolution of 7 taps, Snake, pointwise convolution. */
export function residualUnit(dac: DacGraph, x: Value, path: string, dilation: number): Value {
  const wide = conv(dac, x, `${path}.conv1`, { kernel: 7, dilation, snake: `${path}.snake1` });
  return op.add(dac.g, x, conv(dac, wide, `${path}.conv2`, { kernel: 1, snake: `${path}.snake2` }));
}

/** The three units of a level. */
export function residualUnits(dac: DacGraph, x: Value, path: string): Value {
  return [1, 3, 9].reduce((h, dilation, i) => residualUnit(dac, h, `${path}.res_unit${i + 1}`, dilation), x);
}

/** A pointwise convolution applied to [time, channels]. */
export function pointwise(g: GraphBuilder, x: Value, path: string): Value {
  const weight = convWeight(g, path);
  const [outputs = 1, inputs = 1] = weight.shape;
  const product = op.matmulTransposed(g, x, op.reshape(g, weight, [outputs, inputs]));
  return op.add(g, product, g.weight(`${path}.bias`));
}

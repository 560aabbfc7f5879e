import { type Dim, dimFactors, type Shape } from "./dims.ts";
import type { OnnxModel } from "./types.ts";

/** CUDA contrib kernels index with 32-bit integers: larger tensors give silent garbage. */
export const MAX_CUDA_ELEMENTS = 2 ** 31 - 1;

function evaluate(dim: Dim, sizes: Readonly<Record<string, number>>): number | undefined {
  const { numerator, denominator, symbols } = dimFactors(dim);
  let value = numerator / denominator;
  for (const symbol of symbols) {
    const size = sizes[symbol];
    if (size === undefined) return undefined;
    value *= size;
  }
  return value;
}

/**
 * The largest tensor of a graph for given sizes of its symbols. Tensors with other symbols (LoRA ranks) are
 * left out: they are small.
 */
export function largestTensor(
  model: OnnxModel,
  sizes: Readonly<Record<string, number>>,
): { elements: number; shape: Shape } {
  let largest = { elements: 0, shape: [] as Shape };
  for (const shape of model.shapes) {
    let elements = 1;
    for (const dim of shape) elements *= evaluate(dim, sizes) ?? Number.NaN;
    if (elements > largest.elements) largest = { elements, shape };
  }
  return largest;
}

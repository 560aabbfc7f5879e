import { type GraphBuilder, op, type Value } from "../builder/index.ts";

/** A convolution's weight [out, in, k, k] with its LoRA: W + B @ A over rows of `in * k * k`. */
export function adaptedConvWeight(g: GraphBuilder, path: string): Value {
  const { shape } = g.weights.get(`${path}.weight`);
  return g.once(`adapted ${path}`, () => g.early(() => op.reshape(g, adaptedRows(g, path), shape)));
}

/** The weight of a linear layer, or of a convolution as a matrix [out, in * k * k], with its LoRA. */
export function adaptedRows(g: GraphBuilder, path: string): Value {
  const [out = 0, ...rest] = g.weights.get(`${path}.weight`).shape;
  const row = rest.reduce((product, size) => product * size, 1);
  const { a, b } = g.loraInputs(path, row, out);
  return g.once(`adapted rows ${path}`, () =>
    g.early(() => {
      const matrix = g.weight(`${path}.weight`, { shape: [out, row] });
      return g.node("Gemm", [b, a, matrix], { shape: [out, row] });
    }),
  );
}

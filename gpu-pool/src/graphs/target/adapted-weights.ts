import { type GraphBuilder, op, type Value } from "../builder/index.ts";
import { nativeAdaptedWeight } from "./native-kernels.ts";

/**
 * A convolution's weight [out, in, k, k] with its LoRA: W + B @ A over rows of `in * k * k`.
 * @param native by the own operator, whose matrices lie together
 */
export function adaptedConvWeight(g: GraphBuilder, path: string, native = false): Value {
  const { shape } = g.weights.get(`${path}.weight`);
  return g.once(`adapted ${path}`, () => g.early(() => op.reshape(g, adaptedRows(g, path, native), shape)));
}

/** The weight of a linear layer, or of a convolution as a matrix [out, in * k * k], with its LoRA. */
export function adaptedRows(g: GraphBuilder, path: string, native = false): Value {
  const [out = 0, ...rest] = g.weights.get(`${path}.weight`).shape;
  const row = rest.reduce((product, size) => product * size, 1);
  return g.once(`adapted rows ${path}`, () =>
    g.early(() => {
      const matrix = g.weight(`${path}.weight`, { shape: [out, row] });
      if (native) return nativeAdaptedWeight(g, matrix, g.loraTogether(path, row, out));
      const { a, b } = g.loraInputs(path, row, out);
      return g.node("Gemm", [b, a, matrix], { shape: [out, row] });
    }),
  );
}

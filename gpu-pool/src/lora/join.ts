import type { LoraComponent } from "@cartoon/protos/lora/keys";
import type { LoraTarget } from "../graphs/builder/types.ts";
import { type Feeds, float32, type TensorValue } from "../onnx/session.ts";
import { toHalfArray } from "../weights/float16.ts";
import type { LoraAdapter, LoraLayer } from "./adapter.ts";

export interface WeightedAdapter {
  adapter: LoraAdapter;
  /** Multiplies the adapter's delta; deltas add up without normalisation. */
  weight: number;
}

/**
 * Graph inputs that apply any number of adapters at once: `A = [A₁; A₂; …]` over the ranks and
 * `B = [w₁s₁B₁ | w₂s₂B₂ | …]`, which equals adding every delta to the weights. A target that no adapter changes
 * gets rank 0.
 * @param minRank 1 feeds zeros of rank 1 instead of rank 0, for providers without empty matrix products
 */
export function joinAdapters(
  component: LoraComponent,
  targets: readonly LoraTarget[],
  adapters: readonly WeightedAdapter[],
  options: { dtype?: "float32" | "float16"; minRank?: number } = {},
): Feeds {
  const feeds: Record<string, TensorValue> = {};
  for (const target of targets) {
    const layers = adapters.flatMap(({ adapter, weight }) => {
      const layer = weight === 0 ? undefined : adapter.layers.get(component)?.get(target.path);
      return layer ? [{ layer, factor: weight * layer.scale }] : [];
    });
    const rank = Math.max(
      options.minRank ?? 0,
      layers.reduce((sum, { layer }) => sum + layer.rank, 0),
    );
    const make = (data: Float32Array, shape: number[]) =>
      options.dtype === "float16"
        ? { dtype: "float16" as const, data: toHalfArray(data), shape }
        : float32(data, shape);
    feeds[`lora.${target.path}.A`] = make(joinA(layers, rank, target.in), [rank, target.in]);
    feeds[`lora.${target.path}.B`] = make(joinB(layers, rank, target.out), [target.out, rank]);
  }
  return feeds;
}

type Scaled = { layer: LoraLayer; factor: number };

function joinA(layers: readonly Scaled[], rank: number, width: number): Float32Array {
  const joined = new Float32Array(rank * width);
  let row = 0;
  for (const { layer } of layers) {
    joined.set(layer.a, row * width);
    row += layer.rank;
  }
  return joined;
}

function joinB(layers: readonly Scaled[], rank: number, height: number): Float32Array {
  const joined = new Float32Array(height * rank);
  let column = 0;
  for (const { layer, factor } of layers) {
    for (let row = 0; row < height; row++)
      for (let i = 0; i < layer.rank; i++)
        joined[row * rank + column + i] = factor * (layer.b[row * layer.rank + i] as number);
    column += layer.rank;
  }
  return joined;
}

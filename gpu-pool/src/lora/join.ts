import type { LoraComponent } from "@cartoon/protos/lora/keys";
import type { LoraLayout, LoraTarget } from "../graphs/builder/types.ts";
import { type Feeds, float32, type TensorValue } from "../onnx/session.ts";
import { toHalfArray } from "../weights/float16.ts";
import type { LoraAdapter, LoraLayer } from "./adapter.ts";

export interface WeightedAdapter {
  adapter: LoraAdapter;
  /** Multiplies the adapter's delta; deltas add up without normalisation. */
  weight: number;
}

/** How a graph takes LoRA matrices. */
export interface LoraFormat {
  readonly dtype: "float32" | "float16";
  readonly layout: LoraLayout;
}

/**
 * Graph inputs that apply any number of adapters at once: `A = [A₁; A₂; …]` over the ranks and
 * `B = [w₁s₁B₁ | w₂s₂B₂ | …]`, which equals adding every delta to the weights. A target that no adapter changes
 * gets rank 0, or zeros where all targets have one rank.
 * @param format of the graph; by default float32, and inputs for each target
 */
export function joinAdapters(
  component: LoraComponent,
  targets: readonly LoraTarget[],
  adapters: readonly WeightedAdapter[],
  { dtype = "float32", layout = "apart" }: Partial<LoraFormat> = {},
): Feeds {
  const layersOf = (target: LoraTarget): Scaled[] =>
    adapters.flatMap(({ adapter, weight }) => {
      const layer = weight === 0 ? undefined : adapter.layers.get(component)?.get(target.path);
      return layer ? [{ layer, factor: weight * layer.scale }] : [];
    });
  const joined = targets.map((target) => ({ target, layers: layersOf(target) }));
  return layout === "together" ? together(joined, dtype) : apart(joined, dtype);
}

interface Joined {
  target: LoraTarget;
  layers: readonly Scaled[];
}

const rankOf = ({ layers }: Joined) => layers.reduce((sum, { layer }) => sum + layer.rank, 0);

function apart(joined: readonly Joined[], dtype: LoraFormat["dtype"]): Feeds {
  const feeds: Record<string, TensorValue> = {};
  const make = (data: Float32Array, shape: number[]) =>
    dtype === "float16" ? { dtype, data: toHalfArray(data), shape } : float32(data, shape);
  for (const one of joined) {
    const { target, layers } = one;
    const rank = rankOf(one);
    feeds[`lora.${target.path}.A`] = make(joinA(layers, rank, target.in), [rank, target.in]);
    feeds[`lora.${target.path}.B`] = make(joinB(layers, rank, target.out), [target.out, rank]);
  }
  return feeds;
}

/** What the kernel multiplies at a time. */
const RANK_STEP = 16;

function together(joined: readonly Joined[], dtype: LoraFormat["dtype"]): Feeds {
  const rank = RANK_STEP * Math.ceil(Math.max(0, ...joined.map(rankOf)) / RANK_STEP);
  const columns = joined.reduce((sum, { target }) => sum + target.in, 0);
  const rows = joined.reduce((sum, { target }) => sum + target.out, 0);
  const make = (length: number) => (dtype === "float16" ? new Uint16Array(length) : new Float32Array(length));
  const numbers = (data: Float32Array) => (dtype === "float16" ? toHalfArray(data) : data);
  const a = make(rank * columns);
  const b = make(rank * rows);
  const before = { a: 0, b: 0 };
  for (const { target, layers } of joined) {
    if (layers.length > 0) {
      a.set(numbers(joinA(layers, rank, target.in)), before.a);
      b.set(numbers(joinB(layers, rank, target.out)), before.b);
    }
    before.a += rank * target.in;
    before.b += rank * target.out;
  }
  return {
    "lora.A": { dtype, data: a, shape: [rank, columns] },
    "lora.B": { dtype, data: b, shape: [rows, rank] },
  };
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

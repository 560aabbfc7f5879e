import type { SafetensorsDtype, TensorEntry } from "../../weights/safetensors.ts";
import { type DType, ONNX_TYPE, type TensorProto, type Value } from "./types.ts";

const DTYPE_OF_WEIGHT: Partial<Record<SafetensorsDtype, DType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

export interface WeightView {
  /** The same bytes read as another shape (a 1x1 convolution as a matrix). */
  readonly shape?: readonly number[];
  /** Only these rows of the first axis, `[from, to)`; costs nothing. */
  readonly rows?: readonly [number, number];
  /** Type to compute in; by default the graph's own. `"stored"` leaves the tensor as it is. */
  readonly dtype?: DType | "stored";
}

/**
 * An initialiser that points at a tensor (or rows of it) inside its safetensors file.
 * @throws when the view does not fit the tensor
 */
export function externalWeight(
  entry: TensorEntry,
  view: WeightView,
  name: string,
  location: string,
): { tensor: TensorProto; value: Value } {
  const { key } = entry;
  const dtype = DTYPE_OF_WEIGHT[entry.dtype];
  if (!dtype) throw new Error(`tensor "${key}" has an unsupported type ${entry.dtype}`);
  const count = (s: readonly number[]) => s.reduce((a, b) => a * b, 1);
  const height = entry.shape[0] ?? 1;
  const [from, to] = view.rows ?? [0, height];
  const rows = view.rows ? [to - from, ...entry.shape.slice(1)] : entry.shape;
  const shape = view.shape ?? rows;
  if (count(shape) !== count(rows) || from < 0 || to > height) {
    throw new Error(
      `tensor "${key}" of shape [${entry.shape}] has no view [${shape}] of rows ${from}..${to}`,
    );
  }
  const bytesPerRow = entry.byteLength / height;
  const tensor = {
    name,
    dims: [...shape],
    dataType: ONNX_TYPE[dtype],
    dataLocation: 1,
    externalData: [
      { key: "location", value: location },
      { key: "offset", value: String(entry.offset + from * bytesPerRow) },
      { key: "length", value: String((to - from) * bytesPerRow) },
    ],
  };
  return { tensor, value: { name, dtype, shape } };
}

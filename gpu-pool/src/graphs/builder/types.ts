import type { Shape } from "./dims.ts";

/** Element types of graph values, by their ONNX names in lower case. */
export type DType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float64"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool";

/** ONNX TensorProto.DataType numbers. */
export const ONNX_TYPE: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** A value that flows through the graph: an input, an initialiser or the output of a node. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A node attribute. The key says which ONNX type is written. */
export type Attribute =
  | { readonly i: number }
  | { readonly f: number }
  | { readonly s: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly graph: SubGraph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** A finished body of a Loop, Scan or If node. */
export interface SubGraph {
  readonly kind: "subgraph";
  readonly proto: GraphProto;
}

/** Plain objects in the form that protobufjs encodes; field names as in onnx.proto. */
export interface NodeProto {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  domain: string;
  attribute: AttributeProto[];
}

export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  g?: GraphProto;
  floats?: readonly number[];
  ints?: readonly number[];
  strings?: Uint8Array[];
}

export interface TensorProto {
  name: string;
  dims: number[];
  dataType: number;
  rawData?: Uint8Array;
  externalData?: { key: string; value: string }[];
  dataLocation?: number;
}

export interface ValueInfoProto {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: ({ dimValue: number } | { dimParam: string })[] } } };
}

export interface GraphProto {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
}

/**
 * How a graph takes LoRA matrices. `apart`: inputs `lora.<path>.A` [rank, in] and `lora.<path>.B` [out, rank] for each
 * layer. `together`: one rank for all, a multiple of 16; `lora.A` [rank, sum of in] holds the layers' A, each [rank, in],
 * one after the other, and `lora.B` [sum of out, rank] their B. ONNX Runtime takes 10 ms for thousands of inputs.
 */
export type LoraLayout = "apart" | "together";

/** A linear layer that takes LoRA matrices. */
export interface LoraTarget {
  /** Module path in the model, as in its weight names: `down_blocks.1.attentions.0…to_q`. */
  readonly path: string;
  readonly in: number;
  readonly out: number;
}

/** A complete graph, ready for a session. */
export interface OnnxModel {
  /** The encoded ModelProto; weights are referenced, not contained. */
  readonly bytes: Uint8Array;
  /** External data: `location` in the graph, and where the file really lies. */
  readonly weightFiles: readonly { readonly location: string; readonly path: string }[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly loraTargets: readonly LoraTarget[];
  readonly loraLayout: LoraLayout;
  /** The different shapes of all values that nodes compute. */
  readonly shapes: readonly Shape[];
}

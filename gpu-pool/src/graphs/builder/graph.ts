import { createHash } from "node:crypto";
import { WeightSet } from "../../weights/weight-set.ts";
import { type Dim, dimFactors, type Shape } from "./dims.ts";
import { encodeAttribute, encodeModel, encodeValueInfo } from "./encode.ts";
import type {
  Attributes,
  DType,
  GraphProto,
  LoraTarget,
  NodeProto,
  OnnxModel,
  SubGraph,
  TensorProto,
  Value,
} from "./types.ts";
import { ONNX_TYPE } from "./types.ts";
import { externalWeight, type WeightView } from "./weight.ts";

export interface GraphOptions {
  /** The tensors that `weight()` finds; a graph without weights may leave it out. */
  readonly weights?: WeightSet;
  /** Floating-point type of activations; weights of another type are cast once, at load. */
  readonly dtype?: "float32" | "float16";
  readonly opset?: number;
}

/** What the outermost graph shares with the bodies of its loops. */
interface Shared {
  readonly weights: WeightSet;
  readonly dtype: "float32" | "float16";
  readonly opset: number;
  readonly locations: Map<string, string>;
  readonly loraTargets: LoraTarget[];
  readonly shapes: Map<string, Shape>;
  counter: number;
}

type TypedData = Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array;

/**
 * Builds one ONNX graph. Values know their type and shape; weights are references into safetensors files;
 * equal constants, weights and symbolic sizes are made once.
 */
export class GraphBuilder {
  readonly #shared: Shared;
  readonly #parent: GraphBuilder | undefined;
  readonly #early: NodeProto[] = [];
  readonly #nodes: NodeProto[] = [];
  #growing = this.#nodes;
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: Value[] = [];
  readonly #outputs: Value[] = [];
  readonly #memo = new Map<string, Value>();

  constructor(options: GraphOptions = {}, parent?: GraphBuilder) {
    this.#parent = parent;
    this.#shared = parent
      ? parent.#shared
      : {
          weights: options.weights ?? new WeightSet(new Map()),
          dtype: options.dtype ?? "float32",
          opset: options.opset ?? 18,
          locations: new Map(),
          loraTargets: [],
          shapes: new Map(),
          counter: 0,
        };
  }

  /** Floating-point type of the activations. */
  get dtype(): "float32" | "float16" {
    return this.#shared.dtype;
  }

  get weights(): WeightSet {
    return this.#shared.weights;
  }

  /** Declares a graph input. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = { name, dtype, shape };
    this.#inputs.push(value);
    return value;
  }

  /** Declares a float32 input and casts it to the compute type. */
  floatInput(name: string, shape: Shape): Value {
    return this.#cast(this.input(name, "float32", shape), this.dtype);
  }

  /** Declares a graph output in float32, whatever the compute type. */
  floatOutput(name: string, value: Value): Value {
    return this.output(name, this.#cast(value, "float32"));
  }

  #cast(value: Value, dtype: DType): Value {
    if (value.dtype === dtype) return value;
    return this.node("Cast", [value], { dtype }, { to: { i: ONNX_TYPE[dtype] } });
  }

  /** Declares `value` as a graph output under `name`. */
  output(name: string, value: Value): Value {
    const named = { ...value, name };
    this.#emit("Identity", [value], [named], {}, "");
    this.#outputs.push(named);
    return named;
  }

  /**
   * Adds a node with any number of outputs.
   * @param inputs undefined stands for an optional input that is left out
   * @param outputs type and shape of each output; undefined for one that nobody reads
   */
  nodes(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly ({ dtype: DType; shape: Shape } | undefined)[],
    attributes: Attributes = {},
    domain = "",
  ): Value[] {
    const values = outputs.map((o) => ({
      name: o ? this.freshName(opType) : "",
      dtype: o?.dtype ?? "float32",
      shape: o?.shape ?? [],
    }));
    this.#emit(opType, inputs, values, attributes, domain);
    return values;
  }

  /** Adds a node with one output; type and shape are those of the first input unless given. */
  node(
    opType: string,
    inputs: readonly (Value | undefined)[],
    output: { dtype?: DType; shape?: Shape } = {},
    attributes: Attributes = {},
    domain = "",
  ): Value {
    const first = inputs[0];
    const dtype = output.dtype ?? first?.dtype ?? this.dtype;
    const shape = output.shape ?? first?.shape ?? [];
    const [value] = this.nodes(opType, inputs, [{ dtype, shape }], attributes, domain);
    if (!value) throw new Error(`${opType} made no output`);
    return value;
  }

  /** A fresh value name. */
  freshName(stem: string): string {
    this.#shared.counter += 1;
    return `${stem}_${this.#shared.counter}`;
  }

  /** Returns what `make` made when this key was first asked for; also looks into the enclosing graphs. */
  once(key: string, make: () => Value): Value {
    const known = this.#recall(key);
    if (known) return known;
    const value = make();
    this.#memo.set(key, value);
    return value;
  }

  #recall(key: string): Value | undefined {
    return this.#memo.get(key) ?? (this.#parent ? this.#parent.#recall(key) : undefined);
  }

  /** A constant from raw elements; float16 takes bit patterns. */
  constant(dtype: DType, data: TypedData, shape: readonly number[]): Value {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    const content = bytes.length <= 64 ? bytes : createHash("sha1").update(bytes).digest();
    const key = `constant ${dtype} ${shape.join(",")} ${Buffer.from(content).toString("base64")}`;
    return this.once(key, () => {
      const name = this.freshName("constant");
      this.#initializers.push({ name, dims: [...shape], dataType: ONNX_TYPE[dtype], rawData: bytes });
      return { name, dtype, shape };
    });
  }

  /** A constant list of whole numbers: shapes, axes, indices. */
  int64s(values: readonly number[]): Value {
    return this.constant("int64", BigInt64Array.from(values, BigInt), [values.length]);
  }

  /**
   * A weight of the model, by its name in the safetensors files.
   * @throws when the tensor is missing or the view does not fit it
   */
  weight(key: string, view: WeightView = {}): Value {
    const wanted = view.dtype ?? this.dtype;
    const label = `weight ${key} ${view.shape ?? ""} ${view.rows ?? ""}`;
    const stored = this.#root().once(label, () => this.#root().#external(key, view));
    if (wanted === "stored" || wanted === stored.dtype) return stored;
    return this.#root().once(`${label} as ${wanted}`, () => {
      const to = { to: { i: ONNX_TYPE[wanted] } };
      return this.#root().node("Cast", [stored], { dtype: wanted }, to);
    });
  }

  #external(key: string, view: WeightView): Value {
    const entry = this.#shared.weights.get(key);
    const { tensor, value } = externalWeight(entry, view, this.freshName(key), this.#location(entry.file));
    this.#initializers.push(tensor);
    return value;
  }

  #location(file: string): string {
    const { locations } = this.#shared;
    const known = locations.get(file);
    if (known) return known;
    const location = `weights-${locations.size}.safetensors`;
    locations.set(file, location);
    return location;
  }

  #root(): GraphBuilder {
    return this.#parent ? this.#parent.#root() : this;
  }

  /** The size `dim` as an int64 tensor of shape [1], read from the input that carries the symbol. */
  size(dim: Dim): Value {
    if (typeof dim === "number") return this.int64s([dim]);
    return this.#root().once(`size ${dim}`, () => this.#root().#computeSize(dim));
  }

  #computeSize(dim: string): Value {
    const { numerator, denominator, symbols } = dimFactors(dim);
    if (symbols.length === 1 && numerator === 1 && denominator === 1) return this.#measure(dim);
    const scalar = { dtype: "int64", shape: [1] } as const;
    let product: Value | undefined;
    for (const symbol of symbols) {
      const next = this.size(symbol);
      product = product ? this.node("Mul", [product, next], scalar) : next;
    }
    if (!product) throw new Error(`"${dim}" names no symbol`);
    if (numerator !== 1) product = this.node("Mul", [product, this.int64s([numerator])], scalar);
    return denominator === 1 ? product : this.node("Div", [product, this.int64s([denominator])], scalar);
  }

  #measure(symbol: string): Value {
    for (const input of this.#inputs) {
      const axis = input.shape.indexOf(symbol);
      if (axis < 0) continue;
      return this.node(
        "Shape",
        [input],
        { dtype: "int64", shape: [1] },
        { start: { i: axis }, end: { i: axis + 1 } },
      );
    }
    throw new Error(`no graph input has a dimension "${symbol}"`);
  }

  /** A shape as an int64 tensor for Reshape and Expand. */
  shapeTensor(shape: Shape): Value {
    if (shape.every((d): d is number => typeof d === "number")) return this.int64s(shape);
    return this.#root().once(`shape ${shape.join(",")}`, () =>
      this.#root().node(
        "Concat",
        shape.map((d) => this.size(d)),
        { dtype: "int64", shape: [shape.length] },
        { axis: { i: 0 } },
      ),
    );
  }

  /** Declares the LoRA inputs of a linear layer: A [rank, in] and B [out, rank], with a rank of its own. */
  loraInputs(path: string, inFeatures: number, outFeatures: number): { a: Value; b: Value } {
    const root = this.#root();
    // A layer that runs twice has one pair of matrices.
    const input = (name: "A" | "B", shape: Shape) =>
      root.once(`lora.${path}.${name}`, () => root.input(`lora.${path}.${name}`, this.dtype, shape));
    const rank = `rank_${this.#loraTarget(path, inFeatures, outFeatures)}`;
    return { a: input("A", [rank, inFeatures]), b: input("B", [outFeatures, rank]) };
  }

  /**
   * Declares a linear layer's part of the LoRA inputs that all layers share: A holds a [rank, in] for each of them, one
   * after the other, and B an [out, rank].
   */
  loraTogether(
    path: string,
    inFeatures: number,
    outFeatures: number,
  ): { a: Value; b: Value; columnsBefore: number; rowsBefore: number } {
    const root = this.#root();
    const input = (name: "A" | "B", shape: Shape) =>
      root.once(`lora.${name}`, () => root.input(`lora.${name}`, this.dtype, shape));
    const before = this.#shared.loraTargets.slice(0, this.#loraTarget(path, inFeatures, outFeatures));
    return {
      a: input("A", ["lora_rank", "lora_in"]),
      b: input("B", ["lora_out", "lora_rank"]),
      columnsBefore: before.reduce((sum, target) => sum + target.in, 0),
      rowsBefore: before.reduce((sum, target) => sum + target.out, 0),
    };
  }

  /** @returns which of the graph's LoRA targets the layer is */
  #loraTarget(path: string, inFeatures: number, outFeatures: number): number {
    const { loraTargets } = this.#shared;
    const known = loraTargets.findIndex((target) => target.path === path);
    return known < 0 ? loraTargets.push({ path, in: inFeatures, out: outFeatures }) - 1 : known;
  }

  /**
   * What `make` adds comes before all other nodes; it must depend on inputs and weights alone. ONNX Runtime makes the
   * youngest input of a node first: a weight that is computed right before its layer would be computed before everything
   * that leads there, and wait in memory with all the others.
   */
  early(make: () => Value): Value {
    const growing = this.#growing;
    this.#growing = this.#early;
    try {
      return make();
    } finally {
      this.#growing = growing;
    }
  }

  /**
   * A body for Loop, Scan or If. Inside, values of this graph may be used freely.
   * @param build declares the body's inputs and outputs on the builder it gets
   */
  subgraph(build: (body: GraphBuilder) => void): SubGraph {
    const body = new GraphBuilder({}, this);
    build(body);
    return { kind: "subgraph", proto: body.#proto(this.freshName("body")) };
  }

  #proto(name: string): GraphProto {
    return {
      name,
      node: [...this.#early, ...this.#nodes],
      initializer: this.#initializers,
      input: this.#inputs.map(encodeValueInfo),
      output: this.#outputs.map(encodeValueInfo),
    };
  }

  /** Encodes the graph. */
  build(name: string): OnnxModel {
    return {
      bytes: encodeModel(this.#proto(name), this.#shared.opset),
      weightFiles: [...this.#shared.locations].map(([path, location]) => ({ location, path })),
      inputs: this.#inputs,
      outputs: this.#outputs,
      loraTargets: this.#shared.loraTargets,
      loraLayout: this.#memo.has("lora.A") ? "together" : "apart",
      shapes: [...this.#shared.shapes.values()],
    };
  }

  #emit(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly Value[],
    attributes: Attributes,
    domain: string,
  ): void {
    for (const { shape } of outputs) this.#shared.shapes.set(shape.join(), shape);
    this.#growing.push({
      input: withoutTrailingGaps(inputs.map((v) => v?.name ?? "")),
      output: withoutTrailingGaps(outputs.map((v) => v.name)),
      name: this.freshName(`node_${opType}`),
      opType,
      domain,
      attribute: Object.entries(attributes).map(([key, value]) => encodeAttribute(key, value)),
    });
  }
}

/** Some kernels count inputs instead of asking which are there, so that an empty last name crashes them. */
function withoutTrailingGaps(names: string[]): string[] {
  return names.slice(0, names.findLastIndex((name) => name !== "") + 1);
}

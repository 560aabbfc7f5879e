import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { largestTensor, MAX_CUDA_ELEMENTS } from "../graphs/builder/largest-tensor.ts";
import type { DType, OnnxModel, Value } from "../graphs/builder/types.ts";
import { toHalfArray } from "../weights/float16.ts";
import { installModel } from "./model-cache.ts";
import { givingBack, loadNativeOps } from "./native-ops.ts";
import { loadRuntime } from "./runtime.ts";

export interface SessionOptions {
  /** Threads inside one operator; default: as many as the machine runs at once. */
  readonly intraOpThreads?: number;
  /** `cuda` needs the CUDA provider's libraries; default `cpu`. */
  readonly provider?: "cpu" | "cuda";
  readonly deviceId?: number;
  /** More options of the CUDA provider; they need the own operators' library (native-ops.ts) and are left out without. */
  readonly cudaOptions?: Readonly<Record<string, string>>;
  /** Write a Chrome trace of every operator to this file prefix. */
  readonly profilePrefix?: string;
  /** ORT session configuration entries, e.g. `{ "session.intra_op.allow_spinning": "0" }`. */
  readonly config?: Readonly<Record<string, string>>;
  readonly graphOptimizationLevel?: "disabled" | "basic" | "extended" | "layout" | "all";
  readonly memoryPattern?: boolean;
  /** After every run, the arena gives the GPU what that has left unused; for what runs rarely. Needs the own operators. */
  readonly givesBack?: boolean;
  /** The most elements of a tensor; default: what the CUDA provider's kernels can index, any number on the CPU. */
  readonly maxElements?: number;
}

/** CUDA options of an arena that grows by what is asked for: one that doubles keeps gigabytes that nobody uses. */
export const EXACT_ARENA = { arena_extend_strategy: "kSameAsRequested" } as const;

/** Data of one tensor. float16 and bfloat16 are bit patterns in a Uint16Array. */
export type TensorData =
  | Float32Array
  | Uint16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array
  | Int16Array
  | Float64Array;

export interface TensorValue {
  readonly dtype: DType;
  readonly data: TensorData;
  readonly shape: readonly number[];
}

export type Feeds = Readonly<Record<string, TensorValue>>;
export type Outputs = Record<string, TensorValue>;

/** A float32 tensor. */
export function float32(data: Float32Array, shape: readonly number[]): TensorValue {
  return { dtype: "float32", data, shape };
}

/** An int64 tensor from plain numbers. */
export function int64(values: ArrayLike<number>, shape: readonly number[]): TensorValue {
  return { dtype: "int64", data: BigInt64Array.from(Array.from(values), BigInt), shape };
}

/** The named float32 output. @throws when the graph has none of that name or type */
export function floatOutput(outputs: Outputs, name: string): Float32Array {
  const data = outputs[name]?.data;
  if (!(data instanceof Float32Array)) throw new Error(`the graph has no float32 output "${name}"`);
  return data;
}

/** A loaded graph. `run` blocks the event loop while it computes. */
export class Session {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly #session: InferenceSession;
  readonly #inputs: ReadonlyMap<string, Value>;
  readonly #tensors = new WeakMap<TensorValue, { name: string; tensor: Tensor }>();
  readonly #model: OnnxModel;
  readonly #maxElements: number;
  readonly #givesBack: boolean;

  constructor(
    session: InferenceSession,
    model: OnnxModel,
    { maxElements = Number.POSITIVE_INFINITY, givesBack = false }: SessionOptions = {},
  ) {
    this.#model = model;
    this.#maxElements = maxElements;
    this.#givesBack = givesBack;
    this.#session = session;
    this.inputs = model.inputs;
    this.outputs = model.outputs;
    this.#inputs = new Map(model.inputs.map((input) => [input.name, input]));
  }

  /**
   * Runs the graph once.
   * @throws when an input is missing, unknown, or has a wrong type, rank or fixed size
   */
  async run(feeds: Feeds): Promise<Outputs> {
    const tensors: Record<string, Tensor> = {};
    for (const name in feeds) {
      const feed = feeds[name];
      if (feed) tensors[name] = this.#tensorOf(name, feed);
    }
    for (const { name } of this.inputs) if (!tensors[name]) throw new Error(`input "${name}" is missing`);
    if (Number.isFinite(this.#maxElements)) this.#checkSizes(feeds);
    const compute = () => this.#session.run(tensors);
    const results = await (this.#givesBack ? givingBack(compute) : compute());
    const outputs: Outputs = {};
    for (const [name, tensor] of Object.entries(results)) {
      outputs[name] = {
        dtype: tensor.type as DType,
        data: tensor.data as TensorData,
        shape: tensor.dims,
      };
    }
    return outputs;
  }

  /** Refuses sizes at which a tensor inside the graph outgrows the provider's kernels. */
  #checkSizes(feeds: Feeds): void {
    const sizes: Record<string, number> = {};
    for (const { name, shape } of this.inputs) {
      for (const [axis, dim] of shape.entries()) {
        if (typeof dim === "string") sizes[dim] = feeds[name]?.shape[axis] ?? 0;
      }
    }
    const { elements, shape } = largestTensor(this.#model, sizes);
    if (elements <= this.#maxElements) return;
    throw new Error(
      `a tensor [${shape.join(", ")}] of ${elements} elements exceeds the ${this.#maxElements} that the GPU's kernels can index: ` +
        "use fewer frames, a smaller picture, or a graph with more feed-forward chunks",
    );
  }

  /** What is fed again, as a clip's LoRA matrices are in every step, is looked at and converted once. */
  #tensorOf(name: string, feed: TensorValue): Tensor {
    const known = this.#tensors.get(feed);
    if (known?.name === name) return known.tensor;
    const value = this.#coerce(name, feed);
    checkFeed(this.#inputs.get(name), name, value);
    const tensor = loadRuntime().tensor(value);
    this.#tensors.set(feed, { name, tensor });
    return tensor;
  }

  /** float32 feeds of float16 inputs, as LoRA matrices on a GPU are. */
  #coerce(name: string, feed: TensorValue): TensorValue {
    if (feed.dtype !== "float32" || this.#inputs.get(name)?.dtype !== "float16") return feed;
    return { dtype: "float16", data: toHalfArray(feed.data as Float32Array), shape: feed.shape };
  }

  /** Frees the native memory; the session can't be used afterwards. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

function checkFeed(input: Value | undefined, name: string, feed: TensorValue): void {
  if (!input) throw new Error(`the graph has no input "${name}"`);
  const { dtype, shape } = input;
  const fits =
    feed.dtype === dtype &&
    feed.shape.length === shape.length &&
    shape.every((d, i) => typeof d === "string" || d === feed.shape[i]);
  if (!fits) {
    const got = `${feed.dtype} [${feed.shape.join(", ")}]`;
    throw new Error(`input "${name}" must be ${dtype} [${shape.join(", ")}], got ${got}`);
  }
  const count = feed.shape.reduce((a, b) => a * b, 1);
  if (count !== feed.data.length) {
    throw new Error(`input "${name}" has ${feed.data.length} elements, its shape needs ${count}`);
  }
}

/**
 * - The fused SkipLayerNormalization of the CPU provider is several times slower than Add and
 *   LayerNormalization (ONNX Runtime 1.30); CUDA graphs name it themselves.
 * - Threads that wait for work sleep instead of spinning: a denoise step on two cores then takes 0.7 s of
 *   CPU time instead of 1.2 s, which matters as soon as anything else runs on the machine.
 */
const CONFIG = {
  "optimization.disable_specified_optimizers": "SkipLayerNormFusion",
  "session.intra_op.allow_spinning": "0",
};

/**
 * Loads a graph into ONNX Runtime.
 * @param cacheDir folder for graph files; on the same file system as the weights it takes no space for them
 * @throws when a weight file is missing or the provider can't be loaded
 */
export async function createSession(
  model: OnnxModel,
  cacheDir: string,
  options: SessionOptions = {},
): Promise<Session> {
  const path = await installModel(model, cacheDir);
  const runtime = loadRuntime();
  if (options.provider === "cuda") loadNativeOps()?.setProviderOptions(options.cudaOptions ?? {});
  const session = await runtime.create(path, {
    executionProviders:
      options.provider === "cuda" ? [{ name: "cuda", deviceId: options.deviceId ?? 0 }] : ["cpu"],
    graphOptimizationLevel: options.graphOptimizationLevel ?? "all",
    enableMemPattern: options.memoryPattern ?? true,
    logSeverityLevel: 3,
    intraOpNumThreads: options.intraOpThreads ?? availableParallelism(),
    ...(options.profilePrefix ? { enableProfiling: true, profileFilePrefix: options.profilePrefix } : {}),
    extra: { ...CONFIG, ...options.config },
  });
  const maxElements = options.maxElements ?? (options.provider === "cuda" ? MAX_CUDA_ELEMENTS : undefined);
  return new Session(session, model, { ...options, maxElements });
}

import { fromBfloat16Array, fromHalfArray } from "./float16.ts";
import {
  readSafetensorsHeader,
  readTensorBytes,
  type SafetensorsFile,
  type TensorEntry,
} from "./safetensors.ts";

/** One file of a component; `rename` maps its keys into the set (undefined leaves a tensor out). */
export interface WeightSource {
  readonly path: string;
  readonly rename?: (key: string) => string | undefined;
}

/** All tensors of a model under their module paths, possibly from several files. */
export class WeightSet {
  readonly tensors: ReadonlyMap<string, TensorEntry>;

  constructor(tensors: ReadonlyMap<string, TensorEntry>) {
    this.tensors = tensors;
  }

  has(key: string): boolean {
    return this.tensors.has(key);
  }

  find(key: string): TensorEntry | undefined {
    return this.tensors.get(key);
  }

  /** @throws when the model's files lack the tensor. */
  get(key: string): TensorEntry {
    const entry = this.tensors.get(key);
    if (!entry) throw new Error(`the weights have no tensor "${key}"`);
    return entry;
  }

  keys(): string[] {
    return [...this.tensors.keys()];
  }

  /** The tensors below `prefix`, with the prefix taken off: `unet.` of a single-file checkpoint. */
  under(prefix: string): WeightSet {
    const tensors = new Map<string, TensorEntry>();
    for (const [key, entry] of this.tensors) {
      if (key.startsWith(prefix)) tensors.set(key.slice(prefix.length), entry);
    }
    return new WeightSet(tensors);
  }
}

/**
 * Opens the files of a model as one set.
 * @throws when two files define the same key.
 */
export async function openWeights(sources: readonly (string | WeightSource)[]): Promise<WeightSet> {
  const tensors = new Map<string, TensorEntry>();
  for (const source of sources) {
    const { path, rename } = typeof source === "string" ? { path: source, rename: undefined } : source;
    const file: SafetensorsFile = await readSafetensorsHeader(path);
    for (const [key, entry] of file.tensors) {
      const name = rename ? rename(key) : key;
      if (name === undefined) continue;
      const other = tensors.get(name);
      if (other) throw new Error(`tensor "${name}" is in both ${other.file} and ${path}`);
      tensors.set(name, entry);
    }
  }
  return new WeightSet(tensors);
}

/** Reads one floating-point tensor, widened to float32, row-major. */
export async function readFloat32(entry: TensorEntry): Promise<Float32Array> {
  const bytes = await readTensorBytes(entry);
  switch (entry.dtype) {
    case "F32":
      return new Float32Array(bytes.buffer);
    case "F16":
      return fromHalfArray(new Uint16Array(bytes.buffer));
    case "BF16":
      return fromBfloat16Array(new Uint16Array(bytes.buffer));
    case "F64":
      return Float32Array.from(new Float64Array(bytes.buffer));
    default:
      throw new Error(`tensor "${entry.key}" holds ${entry.dtype}, not floating-point numbers`);
  }
}

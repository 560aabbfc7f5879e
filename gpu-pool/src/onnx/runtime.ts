import { createRequire } from "node:module";
import type * as Ort from "onnxruntime-node";
import type { TensorValue } from "./session.ts";

/** onnxruntime-node, loaded once and made safe for float16. */
export interface Runtime {
  tensor(value: TensorValue): Ort.Tensor;
  create(path: string, options: Ort.InferenceSession.SessionOptions): Promise<Ort.InferenceSession>;
}

let loaded: Runtime | undefined;

/**
 * Loads the native library on first use, so that importing a graph costs nothing.
 *
 * onnxruntime-common picks `Float16Array` for float16 where the runtime has it, but its bytes do not cross
 * Bun's N-API (0 bytes arrive). Creating the first tensor while the global is hidden makes the library
 * settle on Uint16Array. The native binding must be loaded before, or it crashes.
 */
export function loadRuntime(): Runtime {
  if (loaded) return loaded;
  const ort = createRequire(import.meta.url)("onnxruntime-node") as typeof Ort;
  const scope = globalThis as { Float16Array?: unknown };
  const hidden = scope.Float16Array;
  if (hidden !== undefined) {
    delete scope.Float16Array;
    new ort.Tensor("uint8", new Uint8Array(1), [1]);
    scope.Float16Array = hidden;
  }
  const construct = ort.Tensor as new (type: string, data: unknown, dims: readonly number[]) => Ort.Tensor;
  loaded = {
    tensor: ({ dtype, data, shape }) => new construct(dtype, data, shape),
    create: (path, options) => ort.InferenceSession.create(path, options),
  };
  return loaded;
}

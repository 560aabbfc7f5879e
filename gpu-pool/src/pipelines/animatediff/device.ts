import { cpuTarget } from "../../graphs/target/cpu.ts";
import { type CudaOptions, cudaTarget } from "../../graphs/target/cuda.ts";
import { type NativePart, nativePartsFor } from "../../graphs/target/native-kernels.ts";
import type { Target } from "../../graphs/target/target.ts";
import { loadNativeOps } from "../../onnx/native-ops.ts";
import { EXACT_ARENA, type SessionOptions } from "../../onnx/session.ts";
import type { LoadOptions } from "./types.ts";

/** What the own operators compute: everything they can where their library was built. */
export function nativeParts(): readonly NativePart[] {
  const library = loadNativeOps();
  return library ? nativePartsFor(library.computeCapability()) : [];
}

/** Operator choices for a device. `cuda` holds what depends on the size of the clip. */
export function targetOf({ device, deterministic }: LoadOptions, cuda: CudaOptions = {}): Target {
  return device === "cuda" ? cudaTarget({ ...cuda, deterministic, native: nativeParts() }) : cpuTarget;
}

/** cuDNN's largest workspace, too, is gigabytes. */
const SMALL_MEMORY = { ...EXACT_ARENA, cudnn_conv_use_max_workspace: "0" };

export function sessionOptions({ device, threads, smallMemory, deterministic }: LoadOptions): SessionOptions {
  const cudaOptions = {
    ...(smallMemory ? SMALL_MEMORY : {}),
    // The default search takes what was fastest this time.
    ...(deterministic ? { cudnn_conv_algo_search: "HEURISTIC" } : {}),
  };
  return {
    provider: device,
    intraOpThreads: threads || undefined,
    cudaOptions,
    // A planned run would take one more piece of memory, as large as all that the first run had.
    memoryPattern: !smallMemory,
  };
}

/** The bit-stable group norm of stock operators is built for one size; the own operator takes any. */
export function needsFixedSizes({ device, deterministic, fixedSizes }: LoadOptions): boolean {
  return fixedSizes ?? (device === "cuda" && deterministic === true && !nativeParts().includes("groupNorm"));
}

import { cpuTarget } from "../../graphs/target/cpu.ts";
import { type CudaOptions, cudaTarget } from "../../graphs/target/cuda.ts";
import type { Target } from "../../graphs/target/target.ts";
import type { SessionOptions } from "../../onnx/session.ts";
import type { LoadOptions } from "./types.ts";

/** Operator choices for a device. `cuda` holds what depends on the size of the clip. */
export function targetOf({ device, deterministic }: LoadOptions, cuda: CudaOptions = {}): Target {
  return device === "cuda" ? cudaTarget({ ...cuda, deterministic }) : cpuTarget;
}

export function sessionOptions({ device, threads }: LoadOptions): SessionOptions {
  return { provider: device, intraOpThreads: threads || undefined };
}

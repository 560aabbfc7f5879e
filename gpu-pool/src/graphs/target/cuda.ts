import type { GraphBuilder } from "../builder/index.ts";
import { deterministicGroupNorm } from "./deterministic-norm.ts";
import type { NativePart } from "./native-kernels.ts";
import { nhwcOps } from "./nhwc.ts";
import { fusedKernels, type NhwcKernels, plainKernels, withGroupNorm } from "./nhwc-kernels.ts";
import type { LoraScope, Target } from "./target.ts";

export interface CudaOptions {
  /** Pixels per row of temporal attention: 4 is fastest where it divides B*h*w at every resolution. Default 1. */
  readonly temporalPacking?: number;
  /** Parts of the motion feed-forwards; see `planUnet`. Default 1. */
  readonly feedForwardChunks?: number;
  /**
   * Bit-stable results: the fused group norm sums with atomics, this one by matrix products (about 8 %
   * slower). Needs fixed sizes.
   */
  readonly deterministic?: boolean;
  /** Parts that the own operators compute (gpu-pool/native, which must be loaded). Default none. */
  readonly native?: readonly NativePart[];
}

/** The CUDA target: float16, images as [N, H, W, C], the fused operators of ONNX Runtime's CUDA provider. */
export function cudaTarget(options: CudaOptions = {}): Target {
  const fused = fusedKernels();
  const stable = options.native?.includes("groupNorm");
  const kernels = options.deterministic && !stable ? withGroupNorm(fused, deterministicGroupNorm) : fused;
  return { name: "cuda", dtype: "float16", bind: binder(kernels, options) };
}

/** The own operators among standard ones, for a device without the CUDA provider's: checks the operators. */
export function nativeCheckTarget(options: CudaOptions): Target {
  return { name: "cuda", dtype: "float16", bind: binder(plainKernels, options) };
}

/**
 * The layout and order of the CUDA target in float32 with standard operators, for devices without its
 * kernels: tests hold the structure against diffusers with it.
 */
export function plainNhwcTarget(options: CudaOptions = {}): Target {
  const kernels = options.deterministic ? withGroupNorm(plainKernels, deterministicGroupNorm) : plainKernels;
  return { name: "cuda", dtype: "float32", bind: binder(kernels, options) };
}

function binder(
  kernels: NhwcKernels,
  { temporalPacking = 1, feedForwardChunks = 1, native = [] }: CudaOptions,
) {
  return (g: GraphBuilder, { lora }: { readonly lora: LoraScope }) =>
    nhwcOps(g, { lora, kernels, temporalPacking, feedForwardChunks, native: new Set(native) });
}

export * from "./dims.ts";
export { GraphBuilder, type GraphOptions } from "./graph.ts";
export { largestTensor, MAX_CUDA_ELEMENTS } from "./largest-tensor.ts";
export * as op from "./ops.ts";
export * from "./types.ts";
export type { WeightView } from "./weight.ts";

import type { Warning } from "@cartoon/protos";
import type { WindowPlan } from "./windows.ts";

/** Windows below this lose the motion that the modules were trained for. */
const SMALLEST_WINDOW = 8;

/** The ways that ONNX Runtime and CUDA say that memory has run out; a library that can't be set up has none left. */
const OUT_OF_MEMORY =
  /failed to allocate|out of memory|out_of_memory|bfcarena|cudaErrorMemoryAllocation|ALLOC_FAILED|resource allocation failed|bad_alloc|expr=(cublasCreate|cublasLtCreate|cudnnCreate)\(/i;

export function isOutOfMemory(error: unknown): boolean {
  return OUT_OF_MEMORY.test(error instanceof Error ? error.message : String(error));
}

/** Shares of the first size that a clip is drawn at when smaller windows do not help. */
const SMALLER_SIZES = [0.75, 0.5];

/** Sizes below the first that a clip may be drawn at where memory runs out, largest first. */
export function smallerSizes(
  width: number,
  height: number,
  multiple: number,
): { width: number; height: number }[] {
  const snap = (side: number) => Math.floor(side / multiple) * multiple;
  return SMALLER_SIZES.map((share) => ({ width: snap(width * share), height: snap(height * share) })).filter(
    (size) => size.width > 0 && size.height > 0,
  );
}

/**
 * How a clip of one size spares memory. Steps down when the device runs out, and stays down for the rest of the
 * clip. Below its last rung are smaller sizes ({@link smallerSizes}), then another pack, which is the caller's.
 */
export class MemoryLadder {
  /** Guidance as two passes of half the size. */
  halves: boolean;
  readonly #plan: WindowPlan;
  readonly #size: string;

  /**
   * @param plan the clip's windows, which the ladder may make smaller
   * @param size of the picture, for the warnings
   */
  constructor(plan: WindowPlan, halves: boolean, size: string) {
    this.#plan = plan;
    this.halves = halves;
    this.#size = size;
  }

  #at(): string {
    return `${this.#size} in windows of ${Math.min(this.#plan.window, this.#plan.frames)} frames`;
  }

  /** Takes the next rung: guidance in halves, then ever smaller windows. @returns undefined when there is none left */
  stepDown(): Warning | undefined {
    const rule = `the device ran out of memory at ${this.#at()}`;
    if (!this.halves) {
      this.halves = true;
      return { field: "memory", given: "guidance in one pass", used: "guidance in two passes", rule };
    }
    const plan = this.#plan;
    const window = Math.min(plan.window, plan.frames);
    if (window <= SMALLEST_WINDOW) return undefined;
    const smaller = Math.max(SMALLEST_WINDOW, Math.ceil(window / 2));
    plan.window = smaller;
    plan.overlap = Math.min(plan.overlap, Math.floor(smaller / 2));
    return { field: "context.window", given: String(window), used: String(smaller), rule };
  }
}

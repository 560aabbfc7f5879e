import type { Warning } from "@cartoon/protos";
import type { WindowPlan } from "./windows.ts";

/** Windows below this lose the motion that the modules were trained for. */
const SMALLEST_WINDOW = 8;

/** True for the ways that ONNX Runtime and CUDA say that memory has run out. */
export function isOutOfMemory(error: unknown): boolean {
  const text = error instanceof Error ? error.message : String(error);
  return /failed to allocate memory|out of memory|bfcarena|cudaErrorMemoryAllocation|bad_alloc/i.test(text);
}

/** How a clip spares memory. Steps down when the device runs out, and stays down for the rest of the clip. */
export class MemoryLadder {
  /** Guidance as two passes of half the size. */
  halves: boolean;
  readonly #plan: WindowPlan;

  /** @param plan the clip's windows, which the ladder may make smaller */
  constructor(plan: WindowPlan, halves: boolean) {
    this.#plan = plan;
    this.halves = halves;
  }

  /** Takes the next rung: guidance in halves, then ever smaller windows. @returns undefined when there is none left */
  stepDown(): Warning | undefined {
    const rule = "the device ran out of memory";
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

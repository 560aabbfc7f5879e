import type { Spent } from "./messages.ts";

/** Adds up what a run costs, so that its receipt is right wherever it ends. */
export class SpentMeter {
  stepsDone = 0;
  stepsTotal: number;
  readonly #started = performance.now();
  readonly #stages = new Map<string, number>();

  constructor(stepsTotal: number) {
    this.stepsTotal = stepsTotal;
  }

  add(stage: string, seconds: number): void {
    this.#stages.set(stage, (this.#stages.get(stage) ?? 0) + seconds);
  }

  read(): Spent {
    return {
      stepsDone: this.stepsDone,
      stepsTotal: this.stepsTotal,
      deviceSeconds: (performance.now() - this.#started) / 1000,
      stages: [...this.#stages].map(([stage, seconds]) => ({ stage, seconds })),
    };
  }
}

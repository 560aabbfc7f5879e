import type { Predictor, WindowPass } from "./predict.ts";

/**
 * What a partner does of one step: a half of each window with guidance, every second window without. It is asked for
 * one more than it can have done by then: a pass here blocks the event loop, and it should not wait for that.
 */
export class PartnerShare {
  readonly part: "cond" | "uncond";
  readonly #predictor: Predictor;
  readonly #passes: readonly (() => WindowPass)[];
  /** Windows that it was not asked for yet. */
  readonly #left: number[];
  readonly #begun = new Map<number, Promise<Float32Array | undefined>>();

  constructor(predictor: Predictor, passes: readonly (() => WindowPass)[], guided: boolean) {
    this.#predictor = predictor;
    this.#passes = passes;
    this.part = guided ? "uncond" : "cond";
    const theirs = predictor.shared ? [...passes.keys()] : [];
    this.#left = theirs.filter((window) => guided || window % 2 === 1);
    this.ask();
  }

  /** Asks for its next window, where there is one, and a partner. Called before every pass here. */
  ask(): void {
    const [window] = this.#left;
    const pass = window === undefined ? undefined : this.#passes[window];
    const answer = pass && this.#predictor.begin(pass(), this.part);
    if (window === undefined || !answer) return;
    this.#left.shift();
    this.#begun.set(
      window,
      answer.catch(() => undefined),
    );
  }

  /** Whether the partner does its part of a window. If it was not asked by now, it will not be. */
  takes(window: number): boolean {
    const [next] = this.#left;
    if (next === window) this.#left.shift();
    return this.#begun.has(window);
  }

  /** What it has done, by window; undefined where it was lost over it. */
  answers(): Iterable<[number, Promise<Float32Array | undefined>]> {
    return this.#begun;
  }
}

import type { Predictor, WindowPass } from "./predict.ts";
import type { FrameWindow } from "./windows.ts";

/**
 * What a partner does of one step: a half of each window with guidance, every second window without. It is asked for
 * one more than it can have done by then: a pass here blocks the event loop, and it should not wait for that.
 */
export class PartnerShare {
  readonly part: "cond" | "uncond";
  readonly #predictor: Predictor;
  readonly #windows: readonly FrameWindow[];
  readonly #passOf: (window: FrameWindow) => WindowPass;
  /** Windows that it was not asked for yet. */
  readonly #left: number[];
  readonly #begun = new Map<number, Promise<Float32Array | undefined>>();

  /** @param passOf what a window is predicted from; made when it is asked for */
  constructor(
    predictor: Predictor,
    windows: readonly FrameWindow[],
    passOf: (window: FrameWindow) => WindowPass,
    guided: boolean,
  ) {
    this.#predictor = predictor;
    this.#windows = windows;
    this.#passOf = passOf;
    this.part = guided ? "uncond" : "cond";
    const theirs = predictor.shared ? [...windows.keys()] : [];
    this.#left = theirs.filter((i) => guided || i % 2 === 1);
    this.ask();
  }

  /** Asks for its next window, where there is one, and a partner. Called before every pass here. */
  ask(): void {
    const [i] = this.#left;
    const window = this.#windows[i ?? -1];
    const answer = window && this.#predictor.begin(this.#passOf(window), this.part);
    if (i === undefined || !answer) return;
    this.#left.shift();
    this.#begun.set(
      i,
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

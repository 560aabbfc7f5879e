import { join } from "node:path";
import type { PassPartner, SharedPass } from "../pipelines/animatediff/index.ts";
import { takeFloats, writeFloats } from "./arrays.ts";
import type { FromRunner, PassAnswer } from "./messages.ts";

/** Longer than any pass takes, the first one with its loading included. */
const PATIENCE_MS = 120_000;

/**
 * A second runner of the node, as the run that it helps sees it. It may come and go at any time; whoever waits for it
 * when it goes does the pass itself.
 */
export class Partner implements PassPartner {
  readonly #run: string;
  readonly #patienceMs: number;
  readonly #folder: string;
  readonly #send: (message: FromRunner) => void;
  readonly #waiting = new Map<number, { resolve: (file: string) => void; reject: (error: Error) => void }>();
  /** Passes that a partner has done. */
  passes = 0;
  #there = false;
  #last = 0;
  #patience: Timer | undefined;

  /** @param patienceMs for one pass; a partner that does not answer in that time is taken for lost */
  constructor(run: string, folder: string, send: (message: FromRunner) => void, patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
    this.#run = run;
    this.#folder = folder;
    this.#send = send;
  }

  /** The partner has come or gone. */
  set there(there: boolean) {
    this.#there = there;
    if (there) return;
    clearTimeout(this.#patience);
    for (const { reject } of this.#waiting.values()) reject(new Error("the partner is gone"));
    this.#waiting.clear();
  }

  ask(pass: SharedPass): Promise<Float32Array> | undefined {
    if (!this.#there) return undefined;
    const answer = this.#ask(pass);
    // Looked at after the pass that is done here meanwhile.
    answer.catch(() => undefined);
    return answer;
  }

  async #ask({ sample, window, ...rest }: SharedPass): Promise<Float32Array> {
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting.set(id, { resolve, reject });
    if (this.#waiting.size === 1) this.#expectAnswer();
    promise.catch(() => undefined);
    const file = join(this.#folder, `pass-${id}.f32`);
    writeFloats(file, sample);
    this.#send({ type: "pass", run: this.#run, pass: { ...rest, id, window: [...window], file } });
    const prediction = takeFloats(await promise);
    this.passes++;
    return prediction;
  }

  /** From here on, the next answer may take as long as a pass may. */
  #expectAnswer(): void {
    clearTimeout(this.#patience);
    if (this.#waiting.size === 0) return;
    this.#patience = setTimeout(() => {
      this.there = false;
    }, this.#patienceMs);
  }

  answered({ id, file, problem }: PassAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#expectAnswer();
    if (file !== undefined) waiting?.resolve(file);
    else waiting?.reject(new Error(problem));
  }
}

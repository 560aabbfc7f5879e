import type { RunnerJob, RunnerSetup, ToRunner } from "../runner/messages.ts";
import { DeviceFull, RunnerLost, RunnerProcess, type RunOutcome } from "./runner-process.ts";

export type LaneState = "starting" | "up" | "setup_failed" | "defunct" | "closed";

// A runner that keeps dying is given up: something is wrong with the machine, not with one job.
const MAX_DEATHS = 5;
const RESTART_DELAY_MS = 500;
// Whoever has the device's memory may be done with it.
const FULL_DEVICE_DELAY_MS = 5_000;

/** A runner, which is replaced when it dies. */
export class Lane {
  readonly setup: RunnerSetup;
  state: LaneState = "starting";
  /** Why the lane is of no use. */
  detail = "";
  warm: string[] = [];
  #runner: RunnerProcess | undefined;
  #deaths = 0;
  #restart: Timer | undefined;
  readonly #changed: () => void;

  constructor(setup: RunnerSetup, changed: () => void) {
    this.setup = setup;
    this.#changed = changed;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#runner?.pid;
  }

  #set(state: LaneState, detail = ""): void {
    if (this.state === "closed") return;
    this.state = state;
    this.detail = detail;
    this.#changed();
  }

  #start(): void {
    const runner = new RunnerProcess({
      setup: this.setup,
      onWarm: (warm) => {
        this.warm = warm;
        this.#changed();
      },
      onExit: (detail) => this.#exited(runner, detail),
    });
    this.#runner = runner;
    runner.ready.then(
      () => {
        if (this.#runner === runner && this.state === "starting") this.#set("up");
      },
      (error: Error) => {
        if (error instanceof RunnerLost) return;
        if (error instanceof DeviceFull) return this.#waitForMemory(runner, error.message);
        this.#set("setup_failed", error.message);
        runner.kill();
      },
    );
  }

  /** Tries again until the models fit: a full device is no fault of this node's. */
  #waitForMemory(runner: RunnerProcess, detail: string): void {
    if (this.#runner !== runner || this.state === "closed") return;
    this.#runner = undefined;
    runner.kill();
    this.#set("starting", `the device has too little free memory for the models, waiting: ${detail}`);
    this.#restart = setTimeout(() => this.#start(), FULL_DEVICE_DELAY_MS);
  }

  #exited(runner: RunnerProcess, detail: string): void {
    if (this.#runner !== runner) return;
    this.#runner = undefined;
    this.warm = [];
    if (this.state === "closed" || this.state === "setup_failed") return;
    this.#deaths++;
    if (this.#deaths >= MAX_DEATHS) {
      this.#set("defunct", `${detail}, ${this.#deaths} times in a row`);
      return;
    }
    this.#set("starting", detail);
    this.#restart = setTimeout(() => {
      this.#start();
      this.#set("starting");
    }, RESTART_DELAY_MS * this.#deaths);
  }

  /** @throws RunnerLost when the runner dies over the job, or is gone already */
  async run(
    job: RunnerJob,
    onEvent: Parameters<RunnerProcess["run"]>[1],
    signal: AbortSignal,
  ): Promise<RunOutcome> {
    if (!this.#runner) throw new RunnerLost("the runner is gone");
    const outcome = await this.#runner.run(job, onEvent, signal);
    if (outcome.type !== "failed") this.#deaths = 0;
    // An error on a GPU may stick to the process; a fresh one is cheap beside a node that fails every job.
    else if (this.setup.device.kind === "cuda" && ["internal", "out_of_memory"].includes(outcome.code))
      this.#runner?.kill();
    return outcome;
  }

  /** Has the runner take passes of another's clip. `onLost` is called when it dies, or is gone already. */
  assist(...help: Parameters<RunnerProcess["assist"]>): void {
    const [, , onLost] = help;
    if (this.#runner) this.#runner.assist(...help);
    else onLost();
  }

  endAssist(run: string): void {
    this.#runner?.endAssist(run);
  }

  send(message: ToRunner): void {
    this.#runner?.send(message);
  }

  async close(): Promise<void> {
    this.#set("closed");
    clearTimeout(this.#restart);
    const runner = this.#runner;
    this.#runner = undefined;
    await runner?.close();
  }
}

import type { Device, Part, RunnerJob, RunnerResult, RunnerSetup, Spent } from "../runner/messages.ts";
import { Lane } from "./lane.ts";
import { RunnerLost, type RunnerProcess, type RunOutcome } from "./runner-process.ts";

export type SlotState = "starting" | "idle" | "busy" | "setup_failed" | "defunct" | "closed";

type OnEvent = Parameters<RunnerProcess["run"]>[1];

/**
 * A device and its runners: one for everything, or one that draws and one that speaks at the same time, each with
 * models of its own in memory.
 */
export class Slot {
  readonly device: Device;
  readonly lanes: Lane[];
  #busy = false;
  #closed = false;
  readonly #changed: () => void;

  constructor(setups: RunnerSetup[], changed: () => void) {
    const [first] = setups;
    if (!first) throw new Error("a slot needs a runner");
    this.device = first.device;
    this.#changed = changed;
    this.lanes = [];
    for (const setup of setups) this.lanes.push(new Lane(setup, changed));
  }

  get state(): SlotState {
    const any = (state: Lane["state"]) => this.lanes.some((lane) => lane.state === state);
    if (this.#closed) return "closed";
    if (any("setup_failed")) return "setup_failed";
    if (any("defunct")) return "defunct";
    if (any("starting")) return "starting";
    return this.#busy ? "busy" : "idle";
  }

  /** Why the slot is of no use. */
  get detail(): string {
    return this.lanes.find(({ detail }) => detail)?.detail ?? "";
  }

  get warm(): string[] {
    return this.lanes.flatMap(({ warm }) => warm);
  }

  /** Process id of the runner that draws, for those who watch over it. */
  get pid(): number | undefined {
    return this.lanes[0]?.pid;
  }

  /** Takes the slot for one job; `release` gives it back. False when it is not idle. */
  take(): boolean {
    if (this.state !== "idle") return false;
    this.#busy = true;
    this.#changed();
    return true;
  }

  release(): void {
    this.#busy = false;
    this.#changed();
  }

  /**
   * Runs a job on a taken slot, on two runners at once where there are two and it both draws and speaks.
   * @throws RunnerLost when a runner dies over it
   */
  async run(job: RunnerJob, onEvent: OnEvent, signal: AbortSignal): Promise<RunOutcome> {
    const { clip, speech } = job;
    const drawing = this.#lane("picture");
    const speaking = this.#lane("voice");
    if (drawing === speaking || !clip || !speech)
      return (clip ? drawing : speaking).run(job, onEvent, signal);
    const started = performance.now();
    const voiceJob = { ...job, clip: undefined };
    const pictureJob = { ...job, speech: undefined };
    let outcome: RunOutcome;
    if (job.extend || clip.speaker_focus > 0) {
      const spoken = await speaking.run(voiceJob, onEvent, signal);
      if (spoken.type !== "done") return spoken;
      const follows = { ...pictureJob, spoken: spoken.result.speech };
      outcome = merge(await drawing.run(follows, onEvent, signal), spoken);
    } else {
      outcome = await together(
        [
          (signal) => drawing.run(pictureJob, onEvent, signal),
          (signal) => speaking.run(voiceJob, onEvent, signal),
        ],
        signal,
      );
    }
    outcome.spent.deviceSeconds = (performance.now() - started) / 1000;
    return outcome;
  }

  #lane(part: Part): Lane {
    const lane = this.lanes.find(({ setup }) => setup.parts.includes(part));
    if (!lane) throw new RunnerLost(`no runner has the ${part} models`);
    return lane;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.lanes.map((lane) => lane.close()));
    this.#changed();
  }
}

/** Runs both to their ends; when one does not succeed, the other is stopped. The worse outcome counts. */
async function together(
  runs: [(signal: AbortSignal) => Promise<RunOutcome>, (signal: AbortSignal) => Promise<RunOutcome>],
  signal: AbortSignal,
): Promise<RunOutcome> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let first: RunOutcome | Error | undefined;
  const [picture, voice] = await Promise.all(
    runs.map((run) =>
      run(either)
        .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
        .then((outcome) => {
          if (outcome instanceof Error || outcome.type !== "done") {
            first ??= outcome;
            stop.abort();
          }
          return outcome;
        }),
    ),
  );
  if (first instanceof Error) throw first;
  if (!picture || !voice || picture instanceof Error || voice instanceof Error)
    throw new RunnerLost("a runner is gone");
  return first ? { ...first, spent: add(picture.spent, voice.spent) } : merge(picture, voice);
}

function merge(picture: RunOutcome, voice: RunOutcome): RunOutcome {
  const spent = add(picture.spent, voice.spent);
  if (picture.type !== "done" || voice.type !== "done") return { ...picture, spent };
  const result: RunnerResult = { ...picture.result, speech: voice.result.speech };
  return { type: "done", result, spent };
}

function add(picture: Spent, voice: Spent): Spent {
  return {
    stepsDone: picture.stepsDone,
    stepsTotal: picture.stepsTotal,
    deviceSeconds: picture.deviceSeconds + voice.deviceSeconds,
    stages: [...picture.stages, ...voice.stages],
  };
}

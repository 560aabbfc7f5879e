import type {
  Device,
  Part,
  RunnerJob,
  RunnerResult,
  RunnerSetup,
  Sharing,
  Spent,
} from "../runner/messages.ts";
import { Lane } from "./lane.ts";
import { Partnership } from "./partnership.ts";
import { RunnerLost, type RunnerProcess, type RunOutcome } from "./runner-process.ts";
import { SpeechSeats } from "./speech-seats.ts";

export type SlotState = "starting" | "idle" | "busy" | "setup_failed" | "defunct" | "closed";

// A partner that keeps getting lost is no help.
const MAX_PARTNERS = 3;

type OnEvent = Parameters<RunnerProcess["run"]>[1];

/**
 * A device and its runners: one for everything, or one that draws and one that speaks at the same time, each with
 * models of its own in memory.
 */
export class Slot {
  readonly device: Device;
  readonly lanes: Lane[];
  /** Places for jobs that only speak, where the voice has a runner of its own. */
  readonly speechSeats: SpeechSeats | undefined;
  #busy = false;
  #closed = false;
  /** Clip of this slot that wants a partner. */
  #wanted: Sharing | undefined;
  /** Partners that the job had so far. */
  #partners = 0;
  /** The one that takes passes of this slot's clip, and the one whose clip this slot takes passes of. */
  #helped: Partnership | undefined;
  #helping: Partnership | undefined;
  readonly #changed: () => void;

  constructor(setups: RunnerSetup[], changed: () => void) {
    const [first] = setups;
    if (!first) throw new Error("a slot needs a runner");
    this.device = first.device;
    this.#changed = changed;
    this.lanes = [];
    for (const setup of setups) this.lanes.push(new Lane(setup, changed));
    const voice = this.lanes.find((lane) => !lane.setup.parts.includes("picture"));
    this.speechSeats = voice && new SpeechSeats(voice, this.device, changed);
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
    this.#helping?.end();
    this.#changed();
    return true;
  }

  release(): void {
    this.#busy = false;
    this.#changed();
  }

  /** The clip here that could use a partner. */
  get wants(): Sharing | undefined {
    return this.#helped || this.#partners >= MAX_PARTNERS ? undefined : this.#wanted;
  }

  /** Has nothing to do, and the models for passes of another slot's clip. It can be taken all the same. */
  canHelp(other: Slot, { pack }: Sharing): boolean {
    const same = other !== this && other.device.kind === this.device.kind;
    return same && this.state === "idle" && !this.#helping && this.#lane("picture").warm.includes(pack);
  }

  /** Has another slot take passes of this slot's clip. */
  join(helper: Slot): void {
    if (!this.#wanted) return;
    this.#partners++;
    const lanes = [this.#lane("picture"), helper.#lane("picture")] as const;
    const partnership = new Partnership(this.#wanted, ...lanes, () => {
      this.#helped = undefined;
      helper.#helping = undefined;
      this.#changed();
    });
    this.#helped = partnership;
    helper.#helping = partnership;
    partnership.begin();
  }

  /** What runners say to each other goes its own way, the rest to the attempt. */
  #listener(onEvent: OnEvent): OnEvent {
    return (event) => {
      if (event.type === "share") {
        this.#stopSharing();
        this.#wanted = event.sharing;
        this.#changed();
      } else if (event.type === "pass") this.#helped?.pass(event);
      else onEvent(event);
    };
  }

  #stopSharing(): void {
    this.#wanted = undefined;
    this.#helped?.end();
  }

  /**
   * Runs a job on a taken slot. An idle slot may take passes of its clip; see {@link join}.
   * @throws RunnerLost when a runner dies over it
   */
  async run(job: RunnerJob, onEvent: OnEvent, signal: AbortSignal): Promise<RunOutcome> {
    this.#partners = 0;
    try {
      return await this.#run(job, this.#listener(onEvent), signal);
    } finally {
      this.#stopSharing();
    }
  }

  /**
   * Runs a job on two runners at once where there are two and it both draws and speaks.
   * @throws RunnerLost when a runner dies over it
   */
  async #run(job: RunnerJob, onEvent: OnEvent, signal: AbortSignal): Promise<RunOutcome> {
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
      // A dialogue that is not there was cut short: the job is to end with what it has.
      if (spoken.type !== "done" || !spoken.result.speech) return spoken;
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

  /** Has a job that runs here end with what it has. */
  finish(run: string): void {
    for (const lane of this.lanes) lane.send({ type: "finish", run });
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

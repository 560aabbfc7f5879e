import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type {
  FromRunner,
  RunnerJob,
  RunnerResult,
  RunnerSetup,
  Sharing,
  Spent,
  ToRunner,
} from "../runner/messages.ts";
import { ATTENTION } from "./attention.ts";
import { isSharing, type SharingEvent } from "./partnership.ts";

const ENTRY = fileURLToPath(new URL("../runner/main.ts", import.meta.url));
// A runner looks at its messages between two steps; one that has not by then is stuck.
const CANCEL_GRACE_MS = 60_000;

export type RunOutcome =
  | { type: "done"; result: RunnerResult; spent: Spent }
  | { type: "canceled"; spent: Spent }
  | { type: "failed"; code: string; message: string; retryable: boolean; spent: Spent };

/** The runner died while it worked. */
export class RunnerLost extends Error {
  override readonly name = "RunnerLost";
}

/** The one GPU that the runner sees is its first; a voice's ever new lengths make cuDNN attention plan anew each time. */
export function deviceEnv({
  device,
  parts,
  cudaDir,
  attention = "",
}: Pick<RunnerSetup, "device" | "parts" | "cudaDir" | "attention">): Record<string, string> {
  if (device.kind === "cpu") return {};
  const libraries = [cudaDir && join(cudaDir, "lib"), process.env.LD_LIBRARY_PATH].filter(Boolean);
  return {
    LD_LIBRARY_PATH: libraries.join(delimiter),
    CUDA_VISIBLE_DEVICES: visibleGpu(device.index),
    ...(parts.includes("picture") ? ATTENTION[attention] : ATTENTION.flash),
  };
}

/** GPUs are counted among those that the node itself is allowed to see. */
export function visibleGpu(index: number): string {
  const allowed = process.env.CUDA_VISIBLE_DEVICES?.split(",").filter(Boolean);
  return allowed?.[index] ?? String(index);
}

type RunEvent = Extract<FromRunner, { run: string }>;
interface Active {
  job: RunnerJob;
  onEvent: (event: RunEvent) => void;
  resolve: (outcome: RunOutcome) => void;
  reject: (error: Error) => void;
}

interface Assist {
  run: string;
  onEvent: (event: SharingEvent) => void;
  onLost: () => void;
}

/** The models do not fit into what the device has free. */
export class DeviceFull extends Error {
  override readonly name = "DeviceFull";
}

export interface RunnerProcessOptions {
  setup: RunnerSetup;
  onWarm: (warm: string[]) => void;
  /** Called once, after a run that was under way has been reported lost. */
  onExit: (detail: string) => void;
}

/**
 * One runner: a child process with the models of one device in memory. It draws one clip at a time; dialogues it speaks
 * side by side.
 */
export class RunnerProcess {
  readonly pid: number;
  /** Resolves when the models are loaded; rejects when they cannot be, or when the process dies before. */
  readonly ready: Promise<{ seconds: number }>;
  readonly #child: Bun.Subprocess<"ignore", "inherit", "inherit">;
  readonly #options: RunnerProcessOptions;
  #settleReady: { resolve: (value: { seconds: number }) => void; reject: (error: Error) => void };
  readonly #active = new Map<string, Active>();
  #assist: Assist | undefined;

  constructor(options: RunnerProcessOptions) {
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<{ seconds: number }>();
    this.ready = promise;
    // The owner awaits `ready` when it gets to it; until then a failure is not an unhandled one.
    promise.catch(() => undefined);
    this.#settleReady = { resolve, reject };
    this.#child = Bun.spawn([process.execPath, ENTRY], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...deviceEnv(options.setup) },
      serialization: "json",
      ipc: (message: FromRunner) => this.#receive(message),
      onExit: (_child, code, signal) => this.#exited(`the runner ended with ${signal ?? code}`),
    });
    this.pid = this.#child.pid;
    this.send({ type: "setup", setup: options.setup });
  }

  /**
   * Runs one job to its end. Aborting stops it at the next step; the outcome is then `canceled`.
   * @throws RunnerLost when the process dies
   */
  run(job: RunnerJob, onEvent: (event: RunEvent) => void, signal: AbortSignal): Promise<RunOutcome> {
    const drawing = [...this.#active.values()].some(({ job: other }) => other.clip);
    if ((job.clip && drawing) || this.#active.has(job.run)) throw new Error("the runner is busy");
    const { promise, resolve, reject } = Promise.withResolvers<RunOutcome>();
    this.#active.set(job.run, { job, onEvent, resolve, reject });
    let stuck: Timer | undefined;
    const cancel = () => {
      this.send({ type: "cancel", run: job.run });
      stuck = setTimeout(() => this.kill(), CANCEL_GRACE_MS);
    };
    this.send({ type: "run", job });
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
    return promise.finally(() => {
      clearTimeout(stuck);
      signal.removeEventListener("abort", cancel);
    });
  }

  /** Has the runner take passes of a clip that another one draws. `onLost` is called when the process dies. */
  assist(sharing: Sharing, onEvent: Assist["onEvent"], onLost: () => void): void {
    this.#assist = { run: sharing.run, onEvent, onLost };
    this.send({ type: "assist", sharing });
  }

  endAssist(run: string): void {
    if (this.#assist?.run !== run) return;
    this.#assist = undefined;
    this.send({ type: "assist_end", run });
  }

  /** Ends the process at once; a job under way is lost. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Ends the process, and waits until it is gone. */
  async close(): Promise<void> {
    this.kill();
    await this.#child.exited;
  }

  send(message: ToRunner): void {
    try {
      this.#child.send(message);
    } catch {
      // The channel is closed: the exit handler tells those who wait.
    }
  }

  #receive(message: FromRunner): void {
    if (message.type === "ready") {
      this.#options.onWarm(message.warm);
      this.#settleReady.resolve({ seconds: message.seconds });
    } else if (message.type === "setup_failed") {
      const { message: why, lacksMemory } = message;
      this.#settleReady.reject(lacksMemory ? new DeviceFull(why) : new Error(why));
    } else if (message.type === "warm") this.#options.onWarm(message.warm);
    else this.#route(message);
  }

  #route(message: RunEvent): void {
    const active = this.#active.get(message.run);
    if (active) this.#forward(active, message);
    else if (this.#assist?.run === message.run && isSharing(message)) this.#assist.onEvent(message);
  }

  #forward(active: Active, message: RunEvent): void {
    if (message.type !== "done" && message.type !== "canceled" && message.type !== "failed") {
      active.onEvent(message);
      return;
    }
    this.#active.delete(active.job.run);
    active.resolve(message);
  }

  #exited(detail: string): void {
    this.#settleReady.reject(new RunnerLost(detail));
    const lost = [...this.#active.values()];
    this.#active.clear();
    for (const { reject } of lost) reject(new RunnerLost(detail));
    const assist = this.#assist;
    this.#assist = undefined;
    assist?.onLost();
    this.#options.onExit(detail);
  }
}

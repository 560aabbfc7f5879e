import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { Listening } from "@cartoon/protos";
import { root } from "../lib/root.ts";

export interface VictimOptions {
  name: string;
  /** Arguments of this very runtime. */
  args: string[];
  env: Record<string, string>;
  /** Takes what it writes. */
  logFile: string;
}

const alive = new Set<Victim>();
process.on("exit", () => {
  for (const victim of alive) victim.kill();
});

/** A process of ours that is killed, frozen and started again. */
export class Victim {
  readonly name: string;
  readonly #options: VictimOptions;
  #process: Bun.Subprocess | undefined;
  #frozen = false;
  deaths = 0;
  /** Where it listens; it takes other ports each time that it starts. Undefined while it takes no calls. */
  ports: Listening | undefined;

  constructor(options: VictimOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isRunning(): boolean {
    return (
      this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }
  get isFrozen(): boolean {
    return this.#frozen;
  }

  get pid(): number | undefined {
    return this.isRunning ? this.#process?.pid : undefined;
  }

  start(): void {
    if (this.isRunning) return;
    const { args, env, logFile } = this.#options;
    const log = openSync(logFile, "a");
    const base = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" };
    this.ports = undefined;
    const started: Bun.Subprocess = Bun.spawn([process.execPath, ...args], {
      cwd: root,
      env: { ...base, ...env },
      stdin: "ignore",
      stdout: log,
      stderr: log,
      serialization: "json",
      ipc: (message) => {
        if (this.#process === started) this.ports = Listening.parse(message);
      },
      onExit: () => {
        if (this.#process === started) this.ports = undefined;
      },
    });
    this.#process = started;
    closeSync(log);
    alive.add(this);
    this.#frozen = false;
  }

  /** kill -9. */
  kill(): void {
    alive.delete(this);
    if (!this.isRunning) return;
    this.deaths += 1;
    this.#process?.kill("SIGKILL");
  }

  freeze(): void {
    if (!this.isRunning) return;
    this.#process?.kill("SIGSTOP");
    this.#frozen = true;
  }

  thaw(): void {
    if (this.isRunning) this.#process?.kill("SIGCONT");
    this.#frozen = false;
  }

  /** kill -9 of the processes that this one has started. Returns how many there were. */
  killChildren(): number {
    const children = this.isRunning ? childrenOf(this.#process?.pid ?? 0) : [];
    for (const pid of children) process.kill(pid, "SIGKILL");
    return children.length;
  }

  /** Ends it the polite way, and the hard one when that takes too long. */
  async stop(): Promise<void> {
    this.thaw();
    if (!this.isRunning) return;
    this.#process?.kill("SIGTERM");
    const patience = setTimeout(() => this.#process?.kill("SIGKILL"), 3_000);
    await this.#process?.exited;
    clearTimeout(patience);
    alive.delete(this);
  }
}

function childrenOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const lists = tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8"));
    return lists.flatMap((list) => list.split(/\s+/).filter(Boolean).map(Number));
  } catch {
    return [];
  }
}

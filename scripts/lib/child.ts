import { Listening } from "@cartoon/protos";
import { root } from "./root.ts";

export interface ChildOptions {
  name: string;
  /** Arguments of this very runtime: its flags, then the file to run. */
  args: string[];
  env: Record<string, string | undefined>;
  /** Show what it writes as it comes; otherwise it is kept for the case that the child fails. */
  verbose?: boolean;
  /** Called each time that it tells where it listens: more than once when it starts again by itself. */
  onListening?: (ports: Listening) => void;
}

const KEPT = 8_000;
const STOP_MS = 30_000;
const START_MS = 60_000;

/** A process of ours, started and ended by the launcher. */
export class Child {
  readonly name: string;
  readonly exited: Promise<number>;
  readonly #listening = Promise.withResolvers<Listening>();
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  #log = "";
  #stopping = false;

  constructor({ name, args, env, verbose, onListening }: ChildOptions) {
    this.name = name;
    this.#process = Bun.spawn([process.execPath, ...args], {
      cwd: root,
      env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
      stdio: ["ignore", "pipe", "pipe"],
      serialization: "json",
      ipc: (message) => {
        const { data: ports } = Listening.safeParse(message);
        if (!ports) return;
        this.#listening.resolve(ports);
        onListening?.(ports);
      },
    });
    this.exited = this.#process.exited;
    for (const stream of [this.#process.stdout, this.#process.stderr]) void this.#keep(stream, verbose);
  }

  async #keep(stream: ReadableStream<Uint8Array>, verbose = false): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      this.#log = (this.#log + text).slice(-KEPT);
      if (verbose) process.stderr.write(text);
    }
  }

  /** The last of what the process wrote. */
  get log(): string {
    return this.#log.trim();
  }

  /** The ports that the process has taken, once it takes calls. Rejects when it ends before, or does not get there. */
  async listening(): Promise<Listening> {
    const patience = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => patience.reject(new Error(`the ${this.name} did not listen within ${START_MS / 1000} s`)),
      START_MS,
    );
    try {
      return await Promise.race([this.#listening.promise, this.failure(), patience.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Rejects when the process ends by itself, with its last words. */
  async failure(): Promise<never> {
    const code = await this.exited;
    if (this.#stopping) return new Promise<never>(() => {});
    throw new Error(`the ${this.name} ended with ${code}:\n${this.log || "(it wrote nothing)"}`);
  }

  /** Asks the process to end and waits until it is gone; kills it when that takes too long. */
  async stop(): Promise<number> {
    this.#stopping = true;
    this.#process.kill("SIGTERM");
    const patience = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS);
    const code = await this.exited;
    clearTimeout(patience);
    return code;
  }
}

import type { Wake } from "../verb.ts";
import type { WakeHub } from "./wakes.ts";

const PAUSE_MS = 20;

/**
 * Tells of new jobs on Postgres: this process at once, the others by a notification, of which there are no more
 * than fifty a second however many jobs come. They go out after the commit, not in it: Postgres lets transactions
 * that notify commit one at a time, each with a disk write of its own. Should this process die in between, the
 * others find the jobs when they poll.
 */
export class QueuedWakes {
  readonly #hub: WakeHub;
  readonly #notify: (wake: Wake) => Promise<void>;
  #again: Wake | undefined;
  #sending: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(hub: WakeHub, notify: (wake: Wake) => Promise<void>) {
    this.#hub = hub;
    this.#notify = notify;
  }

  tell(wake: Wake): void {
    this.#hub.emit([wake]);
    if (this.#timer) this.#again = wake;
    else this.#send(wake);
  }

  /** Resolves when everyone has been told. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#sending;
    if (this.#again) await this.#notify(this.#again).catch(() => {});
  }

  #send(wake: Wake): void {
    this.#again = undefined;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) this.#send(this.#again);
    }, PAUSE_MS);
    // A notification that fails is made up for by the others' polling.
    this.#sending = this.#notify(wake).catch(() => {});
  }
}

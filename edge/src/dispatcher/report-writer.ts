import { type Attempt, type Database, type Report, report } from "@cartoon/db";

import { persist } from "./persist.ts";

type Update = Omit<Report, "id" | "fence">;

/** A node that talks faster than the database writes waits beyond this many messages. */
const MAX_PENDING = 256;

function merge(first: Update, second: Update): Update {
  return {
    ...first,
    ...second,
    events: [...(first.events ?? []), ...(second.events ?? [])],
    warnings: [...(first.warnings ?? []), ...(second.warnings ?? [])],
    speechParts: [...(first.speechParts ?? []), ...(second.speechParts ?? [])],
  };
}

/**
 * Writes an attempt's messages down in their order. What arrives while a write is under way goes together into the
 * next one, so that a talkative node costs few transactions.
 */
export class ReportWriter {
  readonly #db: Database;
  readonly #attempt: Attempt;
  readonly #onCancelRequested: () => void;
  readonly #patienceMs: number;
  #pending: Update | undefined;
  #count = 0;
  #writing: Promise<void> | undefined;
  #failed: unknown;

  constructor(db: Database, attempt: Attempt, onCancelRequested: () => void, patienceMs: number) {
    this.#db = db;
    this.#attempt = attempt;
    this.#onCancelRequested = onCancelRequested;
    this.#patienceMs = patienceMs;
  }

  /**
   * Takes an update; resolves at once unless too many wait.
   * @throws what an earlier write threw
   */
  async add(update: Update): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    // A checkpoint has an event of its own, whose place is after those that came before it.
    if (this.#pending?.checkpoint || update.checkpoint) await this.flush();
    this.#pending = this.#pending ? merge(this.#pending, update) : update;
    this.#count += 1;
    this.#writing ??= this.#write();
    if (this.#count >= MAX_PENDING) await this.flush();
  }

  /** Resolves when everything is written. @throws what a write threw */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #write(): Promise<void> {
    try {
      while (this.#pending) {
        const update = this.#pending;
        this.#pending = undefined;
        this.#count = 0;
        const reported = await persist(
          () => report(this.#db, { ...update, ...this.#attempt }),
          this.#patienceMs,
        );
        if (reported.cancelRequested) this.#onCancelRequested();
      }
    } catch (error) {
      this.#failed = error;
    } finally {
      this.#writing = undefined;
    }
  }
}

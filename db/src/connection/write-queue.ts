import type { DatabaseSync } from "node:sqlite";

/** How long a write waits for other processes before it fails. */
const PATIENCE_MS = 15_000;
const RETRY_MS = 20;
const MAX_BATCH = 500;

interface PendingWrite {
  execute(): void;
  settle(failure: unknown): void;
  since: number;
}

/**
 * Writes that arrive in the same turn of the event loop share one transaction and so one fsync; each has its own
 * savepoint, so that one that fails takes nothing else with it. All resolve after the commit. While another process
 * holds the database the event loop goes on.
 */
export class WriteQueue {
  readonly #client: DatabaseSync;
  #pending: PendingWrite[] = [];
  #scheduled = false;

  constructor(client: DatabaseSync) {
    this.#client = client;
  }

  add<T>(execute: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      this.#pending.push({
        execute: () => {
          result = execute();
        },
        settle: (failure) => (failure === undefined ? resolve(result) : reject(failure)),
        since: performance.now(),
      });
      this.#schedule();
    });
  }

  /** Resolves when everything added so far has been settled. */
  async drained(): Promise<void> {
    while (this.#pending.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS / 4));
  }

  #schedule(waitMs = 0): void {
    if (this.#scheduled || this.#pending.length === 0) return;
    this.#scheduled = true;
    const flush = () => {
      this.#scheduled = false;
      this.#flush();
    };
    if (waitMs > 0) setTimeout(flush, waitMs);
    else setImmediate(flush);
  }

  #flush(): void {
    try {
      this.#client.exec("begin immediate");
    } catch (error) {
      if (isBusy(error)) this.#giveUpOld(error);
      else for (const write of this.#pending.splice(0)) write.settle(error);
      this.#schedule(RETRY_MS * (0.5 + Math.random()));
      return;
    }
    const batch = this.#pending.splice(0, MAX_BATCH);
    try {
      const failures = batch.map((write) => this.#inSavepoint(write));
      this.#client.exec("commit");
      batch.forEach((write, i) => {
        write.settle(failures[i]);
      });
    } catch (error) {
      this.#rollback();
      for (const write of batch) write.settle(error);
    }
    this.#schedule();
  }

  #inSavepoint(write: PendingWrite): unknown {
    this.#client.exec("savepoint verb");
    try {
      write.execute();
    } catch (error) {
      // After a full disk SQLite has rolled everything back by itself: then the whole batch has failed, with this error.
      if (!this.#client.isTransaction) throw error;
      this.#client.exec("rollback to verb");
      this.#client.exec("release verb");
      return error ?? new Error("A verb threw nothing.");
    }
    this.#client.exec("release verb");
    return undefined;
  }

  #rollback(): void {
    if (this.#client.isTransaction) this.#client.exec("rollback");
  }

  #giveUpOld(error: unknown): void {
    const limit = performance.now() - PATIENCE_MS;
    const old = this.#pending.filter(({ since }) => since < limit);
    this.#pending = this.#pending.filter(({ since }) => since >= limit);
    for (const write of old) write.settle(error);
  }
}

/** Bun and Node give SQLite's number, Deno its text alone. */
function isBusy(error: unknown): boolean {
  const { errcode, message } = error as { errcode?: number; message?: string };
  return errcode === 5 || (message?.includes("database is locked") ?? false);
}

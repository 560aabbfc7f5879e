import { type Database, expiredResults, forgetResults, getJob, isVerbError, prune } from "@cartoon/db";
import { sweepAssets } from "../characters/sweep.ts";
import { log } from "../log.ts";
import { jobPrefix } from "./key.ts";
import type { Store } from "./store.ts";

const EXPIRY_EVERY_MS = 60_000;
const ORPHANS_EVERY_MS = 6 * 3_600_000;
/** Younger folders may belong to a job that is only just being written. */
const ORPHAN_AGE_MS = 24 * 3_600_000;

/** Deletes results that are past their time. @returns how many jobs lost theirs */
export async function sweepExpired(db: Database, store: Store): Promise<number> {
  let total = 0;
  for (;;) {
    const expired = await expiredResults(db);
    if (expired.length === 0) return total;
    for (const { jobId } of expired) await store.deletePrefix(jobPrefix(jobId));
    await forgetResults(
      db,
      expired.map(({ jobId }) => jobId),
    );
    total += expired.length;
  }
}

/** Deletes what lies in the store for jobs that no longer exist. @returns their ids */
export async function sweepOrphans(
  db: Database,
  store: Store,
  olderThanMs = ORPHAN_AGE_MS,
): Promise<string[]> {
  const orphans: string[] = [];
  for await (const { jobId, modifiedAt } of store.listJobs()) {
    if (Date.now() - modifiedAt.getTime() < olderThanMs) continue;
    try {
      await getJob(db, { operator: true }, jobId);
    } catch (error) {
      if (!isVerbError(error, "not_found")) throw error;
      await store.deletePrefix(jobPrefix(jobId));
      orphans.push(jobId);
    }
  }
  return orphans;
}

/** Keeps store and database tidy while the edge runs. */
export class Sweeper {
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #running: Promise<void> = Promise.resolve();

  /** @param keepSeconds how long files of characters stay once no character uses them */
  constructor(db: Database, store: Store, keepSeconds: number) {
    this.#every(EXPIRY_EVERY_MS, async () => {
      const count = await sweepExpired(db, store);
      if (count > 0) log.info("results expired", { jobs: count });
      await prune(db);
      const files = await sweepAssets(db, store, keepSeconds);
      if (files > 0) log.info("files of characters deleted", { files });
    });
    this.#every(ORPHANS_EVERY_MS, async () => {
      const orphans = await sweepOrphans(db, store);
      if (orphans.length > 0) log.info("orphans deleted", { jobs: orphans.length });
    });
  }

  #every(ms: number, task: () => Promise<void>): void {
    const run = () => {
      this.#running = this.#running
        .then(task)
        .catch((error: unknown) => log.warn("a sweep failed", { error }));
    };
    this.#timers.push(setInterval(run, ms));
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#running;
  }
}

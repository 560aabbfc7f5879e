import type { Database } from "../database.ts";
import { rows, type Verb } from "../verb.ts";
import { type Attempt, heldBy, refuseAttempt } from "./transition.ts";

export interface Renewed {
  leaseExpiresAt: number;
  /** True when the runner is to stop. */
  cancelRequested: boolean;
}

/**
 * Keeps an attempt alive for another `leaseMs`.
 *
 * @throws VerbError `stale_fence`, `invalid_transition`, `not_found`: drop the attempt
 */
export function renew(db: Database, attempt: Attempt, leaseMs: number): Promise<Renewed> {
  return db.write(function* (tx): Verb<Renewed> {
    const { jobs } = tx.t;
    const leaseExpiresAt = tx.now + leaseMs;
    const update = tx.db
      .update(jobs)
      .set({ leaseExpiresAt })
      .where(heldBy(tx, attempt, ["running", "committing"]));
    const [row] = yield* rows(update.returning({ cancelRequestedAt: jobs.cancelRequestedAt }));
    if (!row) return yield* refuseAttempt(tx, attempt);
    return { leaseExpiresAt, cancelRequested: row.cancelRequestedAt !== null };
  });
}

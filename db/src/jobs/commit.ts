import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { Receipt } from "../schema/values.ts";
import type { Verb } from "../verb.ts";
import { endJob } from "./end.ts";
import { type Job, type JobResult, toJob } from "./job.ts";
import { replaceResults, shown } from "./results.ts";
import { type Attempt, heldBy, refuseAttempt, transition } from "./transition.ts";

/**
 * The runner is done; its results are about to be checked in the store. From here on the job can't be canceled.
 *
 * @throws VerbError `stale_fence`, `invalid_transition`, `not_found`
 */
export function beginCommit(db: Database, attempt: Attempt, leaseMs: number): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const change = { status: "committing", stage: "upload", leaseExpiresAt: tx.now + leaseMs };
    const row = yield* transition(tx, heldBy(tx, attempt, ["running"]), change, [
      { type: "committing", data: {} },
    ]);
    return row ? toJob(row) : yield* refuseAttempt(tx, attempt);
  });
}

/**
 * The results lie in the store, checked: the job has succeeded.
 *
 * @throws VerbError `stale_fence`, `invalid_transition` (a job is committed once), `not_found`
 */
export function commit(
  db: Database,
  attempt: Attempt,
  outcome: { results: JobResult[]; receipt: Receipt },
): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const { jobs } = tx.t;
    const change = {
      receipt: outcome.receipt,
      progress: 1,
      resultsExpireAt: sql`${jobs.resultsTtlMs} + ${tx.now}`,
    };
    const data = { results: outcome.results.map(shown) };
    const ended = { status: "succeeded", data, deviceSeconds: outcome.receipt.deviceSeconds } as const;
    const row = yield* endJob(tx, heldBy(tx, attempt, ["committing"]), ended, change);
    if (!row) return yield* refuseAttempt(tx, attempt);
    yield* replaceResults(tx, row.id, outcome.results);
    return toJob(row);
  });
}

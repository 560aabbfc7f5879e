import { and, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { retryStoryboard } from "../storyboards/retry.ts";
import type { Tx, Verb } from "../verb.ts";
import { withoutPartial } from "./cancel.ts";
import { findJob, type Reader } from "./find.ts";
import { type Job, type JobRow, toJob } from "./job.ts";
import { replaceResults } from "./results.ts";
import { nextShares } from "./shares.ts";
import { transition } from "./transition.ts";

/**
 * Puts an ended job back into the queue under its own id, at the end of the line. Its log goes on.
 *
 * @throws VerbError `not_found`; `invalid_transition` unless the job is `failed`, `timed_out` or `canceled`
 */
export function retry(db: Database, reader: Reader, id: string): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const job = yield* findJob(tx, reader, id);
    if (job.spec.join) return toJob(yield* retryStoryboard(tx, job));
    const row = yield* requeueEnded(tx, job);
    tx.wake({ type: "queued" });
    return toJob(row);
  });
}

/** @throws VerbError `invalid_transition` */
export function* requeueEnded(tx: Tx, job: JobRow, options: { evenSucceeded?: boolean } = {}): Verb<JobRow> {
  const { jobs } = tx.t;
  yield* nextShares(tx, [job]);
  const states = ["failed", "timed_out", "canceled", ...(options.evenSucceeded ? ["succeeded"] : [])];
  const queued = {
    status: "queued",
    share: job.share,
    nodeDeaths: 0,
    leaseExpiries: 0,
    failures: 0,
    edgeId: null,
    nodeId: null,
    stage: "",
    progress: 0,
    step: 0,
    errorCode: null,
    errorMessage: null,
    cancelRequestedAt: null,
    extras: withoutPartial(job.extras),
    resultsExpireAt: null,
    startedAt: null,
    completedAt: null,
    availableAt: tx.now,
    queuedAt: tx.now,
    queueDeadline: sql`${jobs.queueTtlMs} + ${tx.now}`,
  };
  const ended = and(eq(jobs.id, job.id), inArray(jobs.status, states));
  const row = yield* transition(tx, ended, queued, [{ type: "queued", data: { retry: true } }]);
  if (row) yield* replaceResults(tx, row.id, []);
  if (!row) throw new VerbError("invalid_transition", `The job is ${job.status}.`, { status: job.status });
  return row;
}

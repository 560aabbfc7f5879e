import { isTerminal, type JobStatus } from "@cartoon/protos/job-status";
import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { Receipt } from "../schema/values.ts";
import { cancelStoryboard } from "../storyboards/cancel.ts";
import type { Tx, Verb } from "../verb.ts";
import { endJob } from "./end.ts";
import { findJob, type Reader } from "./find.ts";
import { type Job, type JobRow, toJob } from "./job.ts";
import { type Attempt, heldBy, refuseAttempt, transition } from "./transition.ts";

/**
 * Asks for a job's end. A waiting job is `canceled` at once; a running one is marked, and its dispatcher hears of it
 * and stops the node; a committing or ended one stays as it is. Asking again changes nothing.
 *
 * @throws VerbError `not_found`
 */
export function cancel(db: Database, reader: Reader, id: string): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const found = yield* findJob(tx, reader, id);
    if (found.spec.join) return toJob((yield* cancelStoryboard(tx, found.id)) ?? found);
    const job = yield* findJob(tx, reader, found.id, { lock: true });
    return toJob(yield* cancelLocked(tx, job));
  });
}

/** @param job locked by this transaction */
export function* cancelLocked(tx: Tx, job: JobRow): Verb<JobRow> {
  const { jobs } = tx.t;
  if (isTerminal(job.status as JobStatus) || job.status === "committing") return job;
  if (job.status === "queued") {
    const ended = { status: "canceled", data: { receipt: job.receipt } } as const;
    return (yield* endJob(tx, eq(jobs.id, job.id), ended, { cancelRequestedAt: tx.now })) ?? job;
  }
  if (job.cancelRequestedAt !== null) return job;
  const change = { cancelRequestedAt: tx.now };
  const row = yield* transition(tx, eq(jobs.id, job.id), change, [{ type: "cancel_requested", data: {} }]);
  tx.wake({ type: "cancel", jobId: job.id });
  return row ?? job;
}

/**
 * The node has stopped as it was asked to: the job is `canceled`, and the receipt says what it has cost.
 *
 * @throws VerbError `stale_fence`, `invalid_transition`, `not_found`
 */
export function confirmCancel(db: Database, attempt: Attempt, receipt: Receipt | null): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const asked = and(heldBy(tx, attempt, ["running"]), sql`${tx.t.jobs.cancelRequestedAt} is not null`);
    const ended = {
      status: "canceled",
      data: { receipt },
      deviceSeconds: receipt?.deviceSeconds ?? 0,
    } as const;
    const row = yield* endJob(tx, asked, ended, receipt ? { receipt } : {});
    return row ? toJob(row) : yield* refuseAttempt(tx, attempt);
  });
}

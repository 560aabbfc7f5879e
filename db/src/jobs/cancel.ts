import { isTerminal, type JobStatus } from "@cartoon/protos/job-status";
import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { Extras, Receipt } from "../schema/values.ts";
import { cancelStoryboard } from "../storyboards/cancel.ts";
import type { Tx, Verb } from "../verb.ts";
import { endJob } from "./end.ts";
import { findJob, type Reader } from "./find.ts";
import { type Job, type JobResult, type JobRow, toJob } from "./job.ts";
import { replaceResults, shown } from "./results.ts";
import { type Attempt, heldBy, refuseAttempt, transition } from "./transition.ts";

export interface CancelOptions {
  /** Have the frames that a running job has so far made into a clip before it ends. */
  partial?: boolean;
}

/** Kept with a running job until it ends: whoever stops its node has to know. */
const PARTIAL = "partial_clip";

/** True when the one who canceled the job wants to see what there is of it. */
export const wantsPartial = (job: Job): boolean => job.extras[PARTIAL] === true;

/** Of a job that goes back into the queue. */
export function withoutPartial(extras: Extras): Extras {
  const { [PARTIAL]: _partial, ...rest } = extras;
  return rest;
}

/**
 * Asks for a job's end. A waiting job is `canceled` at once; a running one is marked, and its dispatcher hears of it
 * and stops the node; a committing or ended one stays as it is. Asking again changes nothing.
 *
 * @throws VerbError `not_found`
 */
export function cancel(db: Database, reader: Reader, id: string, options: CancelOptions = {}): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const found = yield* findJob(tx, reader, id);
    if (found.spec.join) return toJob((yield* cancelStoryboard(tx, found.id, options)) ?? found);
    const job = yield* findJob(tx, reader, found.id, { lock: true });
    return toJob(yield* cancelLocked(tx, job, options));
  });
}

/** @param job locked by this transaction */
export function* cancelLocked(tx: Tx, job: JobRow, { partial }: CancelOptions = {}): Verb<JobRow> {
  const { jobs } = tx.t;
  if (isTerminal(job.status as JobStatus) || job.status === "committing") return job;
  if (job.status === "queued") {
    const ended = { status: "canceled", data: { receipt: job.receipt } } as const;
    return (yield* endJob(tx, eq(jobs.id, job.id), ended, { cancelRequestedAt: tx.now })) ?? job;
  }
  if (job.cancelRequestedAt !== null) return job;
  const change = {
    cancelRequestedAt: tx.now,
    ...(partial ? { extras: { ...job.extras, [PARTIAL]: true } } : {}),
  };
  const asked = { type: "cancel_requested", data: partial ? { partial } : {} };
  const row = yield* transition(tx, eq(jobs.id, job.id), change, [asked]);
  tx.wake({ type: "cancel", jobId: job.id });
  return row ?? job;
}

/**
 * The node has stopped as it was asked to: the job is `canceled`, and the receipt says what it has cost.
 *
 * @param partial what was made of the frames that were there; kept as long as the results of a job
 * @throws VerbError `stale_fence`, `invalid_transition`, `not_found`
 */
export function confirmCancel(
  db: Database,
  attempt: Attempt,
  receipt: Receipt | null,
  partial: JobResult[] = [],
): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const asked = and(heldBy(tx, attempt, ["running"]), sql`${tx.t.jobs.cancelRequestedAt} is not null`);
    const ended = {
      status: "canceled",
      data: { receipt, ...(partial.length > 0 ? { results: partial.map(shown) } : {}) },
      deviceSeconds: receipt?.deviceSeconds ?? 0,
    } as const;
    const { jobs } = tx.t;
    const change = {
      ...(receipt ? { receipt } : {}),
      ...(partial.length > 0 ? { resultsExpireAt: sql`${jobs.resultsTtlMs} + ${tx.now}` } : {}),
    };
    const row = yield* endJob(tx, asked, ended, change);
    if (!row) return yield* refuseAttempt(tx, attempt);
    yield* replaceResults(tx, row.id, partial);
    return toJob(row);
  });
}

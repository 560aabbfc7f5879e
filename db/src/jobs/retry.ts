import { and, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import type { Verb } from "../verb.ts";
import { findJob, type Reader } from "./find.ts";
import { type Job, toJob } from "./job.ts";
import { nextShares } from "./shares.ts";
import { transition } from "./transition.ts";

/**
 * Puts an ended job back into the queue under its own id, at the end of the line. Its log goes on.
 *
 * @throws VerbError `not_found`; `invalid_transition` unless the job is `failed`, `timed_out` or `canceled`
 */
export function retry(db: Database, reader: Reader, id: string): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const { jobs } = tx.t;
    const job = yield* findJob(tx, reader, id);
    yield* nextShares(tx, [job]);
    const ended = and(eq(jobs.id, job.id), inArray(jobs.status, ["failed", "timed_out", "canceled"]));
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
      startedAt: null,
      completedAt: null,
      availableAt: tx.now,
      queuedAt: tx.now,
      queueDeadline: sql`${jobs.queueTtlMs} + ${tx.now}`,
    };
    const row = yield* transition(tx, ended, queued, [{ type: "queued", data: { retry: true } }]);
    if (!row) throw new VerbError("invalid_transition", `The job is ${job.status}.`, { status: job.status });
    tx.wake({ type: "queued" });
    return toJob(row);
  });
}

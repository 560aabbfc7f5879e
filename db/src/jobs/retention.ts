import { isTerminal, type JobStatus } from "@cartoon/protos/job-status";
import { and, inArray, isNotNull, lte } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";
import { findJob, type Reader } from "./find.ts";

export interface Discarded {
  jobId: string;
  /** Objects in the store that nobody needs any more. */
  storageKeys: string[];
}

/** Jobs whose results are past their time. Delete the objects, then call `forgetResults`. */
export function expiredResults(db: Database, limit = 100): Promise<Discarded[]> {
  return db.read(function* (tx): Verb<Discarded[]> {
    const { jobs } = tx.t;
    const expired = and(isNotNull(jobs.resultsExpireAt), lte(jobs.resultsExpireAt, tx.now));
    const found = yield* rows(tx.db.select({ id: jobs.id }).from(jobs).where(expired).limit(limit));
    return yield* objectsOf(
      tx,
      found.map(({ id }) => id),
    );
  });
}

/** The objects are gone: the job stays readable, without results. */
export function forgetResults(db: Database, jobIds: string[]): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    if (jobIds.length === 0) return;
    const { jobs, results } = tx.t;
    yield* run(tx.db.delete(results).where(inArray(results.jobId, jobIds)));
    const forget = { resultsExpireAt: null, checkpoint: null };
    yield* run(tx.db.update(jobs).set(forget).where(inArray(jobs.id, jobIds)));
  });
}

/**
 * Deletes an ended job with its log, results and deliveries. Its objects are the caller's to delete.
 *
 * @throws VerbError `not_found`; `invalid_transition` while the job has not ended
 */
export function deleteJob(db: Database, reader: Reader, id: string): Promise<Discarded> {
  return db.write(function* (tx): Verb<Discarded> {
    const job = yield* findJob(tx, reader, id);
    if (!isTerminal(job.status as JobStatus)) {
      throw new VerbError("invalid_transition", `The job is ${job.status}; cancel it first.`, {
        status: job.status,
      });
    }
    const [objects] = yield* objectsOf(tx, [job.id]);
    yield* deleteRows(tx, [job.id]);
    return objects ?? { jobId: job.id, storageKeys: [] };
  });
}

/** Deletes jobs that ended before a time, at most `limit` at once. Their objects are the caller's to delete. */
export function deleteOldJobs(db: Database, completedBefore: number, limit = 200): Promise<Discarded[]> {
  return db.write(function* (tx): Verb<Discarded[]> {
    const { jobs } = tx.t;
    const old = and(isNotNull(jobs.completedAt), lte(jobs.completedAt, completedBefore));
    const found = yield* rows(tx.db.select({ id: jobs.id }).from(jobs).where(old).limit(limit));
    const ids = found.map(({ id }) => id);
    const discarded = yield* objectsOf(tx, ids);
    yield* deleteRows(tx, ids);
    return discarded;
  });
}

/** Forgets idempotency keys and rate windows whose time is over. */
export function prune(db: Database): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    yield* run(tx.db.delete(tx.t.idempotency).where(lte(tx.t.idempotency.expiresAt, tx.now)));
    yield* run(tx.db.delete(tx.t.rateWindows).where(lte(tx.t.rateWindows.expiresAt, tx.now)));
  });
}

function* objectsOf(tx: Tx, ids: string[]): Verb<Discarded[]> {
  if (ids.length === 0) return [];
  const { jobs, results } = tx.t;
  const keys = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { jobId, storageKey } of yield* rows(
    tx.db.select().from(results).where(inArray(results.jobId, ids)),
  )) {
    keys.get(jobId)?.push(storageKey);
  }
  const shown = { id: jobs.id, checkpoint: jobs.checkpoint };
  for (const { id, checkpoint } of yield* rows(tx.db.select(shown).from(jobs).where(inArray(jobs.id, ids)))) {
    if (checkpoint) keys.get(id)?.push(checkpoint.storageKey);
  }
  return [...keys].map(([jobId, storageKeys]) => ({ jobId, storageKeys }));
}

function* deleteRows(tx: Tx, ids: string[]): Verb<void> {
  if (ids.length === 0) return;
  const { jobs, jobEvents, results, previews, idempotency, jobWebhooks, deliveries, deliveryAttempts } = tx.t;
  const gone = tx.db.select({ id: deliveries.id }).from(deliveries).where(inArray(deliveries.jobId, ids));
  yield* run(tx.db.delete(deliveryAttempts).where(inArray(deliveryAttempts.deliveryId, gone)));
  for (const table of [jobEvents, results, previews, idempotency, jobWebhooks, deliveries]) {
    yield* run(tx.db.delete(table).where(inArray(table.jobId, ids)));
  }
  yield* run(tx.db.delete(jobs).where(inArray(jobs.id, ids)));
}

import { isTerminal, type JobStatus } from "@cartoon/protos/job-status";
import { and, inArray, isNotNull, lte, notInArray } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { boardOf } from "../storyboards/shots.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";
import { findJob, type Reader } from "./find.ts";

export interface Discarded {
  jobId: string;
  /** Objects in the store that nobody needs any more. */
  storageKeys: string[];
  /** Jobs that went with it: the shots of a storyboard. */
  shots?: string[];
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
 * Deletes an ended job with its log, results and deliveries, a storyboard with its shots. Objects are the caller's to
 * delete.
 *
 * @throws VerbError `not_found`; `invalid_transition` while the job has not ended, and for a shot, which goes with its
 *   storyboard
 */
export function deleteJob(db: Database, reader: Reader, id: string): Promise<Discarded> {
  return db.write(function* (tx): Verb<Discarded> {
    const job = yield* findJob(tx, reader, id);
    if (!isTerminal(job.status as JobStatus)) {
      throw new VerbError("invalid_transition", `The job is ${job.status}; cancel it first.`, {
        status: job.status,
      });
    }
    const boardId = boardOf(job);
    if (boardId !== undefined)
      throw new VerbError(
        "invalid_transition",
        `The job is a shot of the storyboard ${boardId}; delete that.`,
      );
    const shots = (yield* shotIds(tx, [job.id])).map(({ jobId }) => jobId);
    const objects = yield* objectsOf(tx, [job.id, ...shots]);
    yield* deleteRows(tx, [job.id, ...shots]);
    const storageKeys = objects.flatMap((one) => one.storageKeys);
    return { jobId: job.id, storageKeys, ...(shots.length > 0 ? { shots } : {}) };
  });
}

/** Deletes jobs that ended before a time, shots with their storyboards, at most `limit` at once. Their objects are the caller's to delete. */
export function deleteOldJobs(db: Database, completedBefore: number, limit = 200): Promise<Discarded[]> {
  return db.write(function* (tx): Verb<Discarded[]> {
    const { jobs } = tx.t;
    const old = and(isNotNull(jobs.completedAt), lte(jobs.completedAt, completedBefore));
    const { storyboardShots } = tx.t;
    const ofItsOwn = notInArray(jobs.id, tx.db.select({ id: storyboardShots.jobId }).from(storyboardShots));
    const found = yield* rows(
      tx.db.select({ id: jobs.id }).from(jobs).where(and(old, ofItsOwn)).limit(limit),
    );
    const alone = found.map(({ id }) => id);
    const ids = [...alone, ...(yield* shotIds(tx, alone)).map(({ jobId }) => jobId)];
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

function* shotIds(tx: Tx, boardIds: string[]): Verb<{ jobId: string }[]> {
  if (boardIds.length === 0) return [];
  const { storyboardShots } = tx.t;
  const shots = tx.db.select({ jobId: storyboardShots.jobId }).from(storyboardShots);
  return yield* rows(shots.where(inArray(storyboardShots.boardId, boardIds)));
}

function* deleteRows(tx: Tx, ids: string[]): Verb<void> {
  if (ids.length === 0) return;
  const { jobs, jobEvents, results, previews, speechParts, storyboardShots } = tx.t;
  const { idempotency, jobWebhooks, deliveries, deliveryAttempts } = tx.t;
  const gone = tx.db.select({ id: deliveries.id }).from(deliveries).where(inArray(deliveries.jobId, ids));
  yield* run(tx.db.delete(deliveryAttempts).where(inArray(deliveryAttempts.deliveryId, gone)));
  for (const table of [jobEvents, results, previews, speechParts, idempotency, jobWebhooks, deliveries]) {
    yield* run(tx.db.delete(table).where(inArray(table.jobId, ids)));
  }
  yield* run(tx.db.delete(storyboardShots).where(inArray(storyboardShots.boardId, ids)));
  yield* run(tx.db.delete(jobs).where(inArray(jobs.id, ids)));
}

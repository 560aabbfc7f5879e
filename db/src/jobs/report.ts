import type { Warning } from "@cartoon/protos";
import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { Checkpoint } from "../schema/values.ts";
import { run, type Verb } from "../verb.ts";
import type { NewEvent } from "./events.ts";
import { type Attempt, heldBy, type JobChange, refuseAttempt, transition } from "./transition.ts";

export interface Report extends Attempt {
  /** Added to the job's log in this order. */
  events?: NewEvent[];
  nodeId?: string;
  stage?: string;
  /** 0 to 1; what lies below the job's present progress is not taken. */
  progress?: number;
  step?: number;
  steps?: number;
  /** Added to the job's warnings. */
  warnings?: Warning[];
  checkpoint?: Checkpoint;
  /** Kept beside the job, only the last one. */
  preview?: { contentType: string; step: number; data: Uint8Array };
  /** Kept beside the job, each of them; a part that comes again takes the place of the earlier one. */
  speechParts?: {
    part: number;
    contentType: string;
    startSeconds: number;
    seconds: number;
    data: Uint8Array;
  }[];
  /** Renews the lease in the same write. */
  leaseMs?: number;
}

export interface Reported {
  /** Sequence of the last event written. */
  eventSeq: number;
  cancelRequested: boolean;
}

/**
 * Writes down what a runner says of its attempt.
 *
 * @throws VerbError `stale_fence`, `invalid_transition`, `not_found`: drop the attempt
 */
export function report(db: Database, input: Report): Promise<Reported> {
  return db.write(function* (tx): Verb<Reported> {
    const events = [...(input.events ?? [])];
    if (input.checkpoint) events.push({ type: "checkpoint", data: { ...input.checkpoint } });
    const row = yield* transition(
      tx,
      heldBy(tx, input, ["running", "committing"]),
      changeOf(input, tx.t.jobs, tx.now),
      events,
    );
    if (!row) return yield* refuseAttempt(tx, input);
    if (input.warnings && input.warnings.length > 0) {
      const warnings = [...row.warnings, ...input.warnings];
      yield* run(tx.db.update(tx.t.jobs).set({ warnings }).where(sql`${tx.t.jobs.id} = ${row.id}`));
    }
    if (input.preview) {
      const preview = { ...input.preview, at: tx.now };
      const insert = tx.db.insert(tx.t.previews).values({ jobId: row.id, ...preview });
      yield* run(insert.onConflictDoUpdate({ target: tx.t.previews.jobId, set: preview }));
    }
    for (const given of input.speechParts ?? []) {
      const { speechParts } = tx.t;
      const part = { ...given, at: tx.now };
      const insert = tx.db.insert(speechParts).values({ jobId: row.id, ...part });
      yield* run(insert.onConflictDoUpdate({ target: [speechParts.jobId, speechParts.part], set: part }));
    }
    return { eventSeq: row.eventSeq, cancelRequested: row.cancelRequestedAt !== null };
  });
}

type Jobs = typeof import("../schema/postgres.ts").jobs;

function changeOf(input: Report, jobs: Jobs, now: number): JobChange {
  const change: JobChange = {};
  if (input.nodeId !== undefined) change.nodeId = input.nodeId;
  if (input.stage !== undefined) change.stage = input.stage;
  if (input.progress !== undefined) {
    const progress = Math.min(1, Math.max(0, input.progress));
    change.progress = sql`case when ${jobs.progress} < ${progress} then ${progress} else ${jobs.progress} end`;
  }
  if (input.step !== undefined) change.step = input.step;
  if (input.steps !== undefined) change.steps = input.steps;
  if (input.checkpoint !== undefined) change.checkpoint = input.checkpoint;
  if (input.leaseMs !== undefined) change.leaseExpiresAt = now + input.leaseMs;
  return change;
}

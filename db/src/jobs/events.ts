import type { Database } from "../database.ts";
import { insertRows } from "../insert-rows.ts";
import type { EventData } from "../schema/values.ts";
import { selectRows } from "../select-rows.ts";
import type { Tx, Verb } from "../verb.ts";

/** Written by the verbs themselves; runners add `progress`, `log`, `warning`, `preview`, `artefact` and the like. */
export type LifeEvent =
  | "queued"
  | "leased"
  | "requeued"
  | "cancel_requested"
  | "checkpoint"
  | "committing"
  | "succeeded"
  | "failed"
  | "canceled"
  | "timed_out";

/** One entry of a job's log. `seq` rises by one from 1, without a hole. */
export interface JobEvent {
  jobId: string;
  seq: number;
  type: string;
  at: number;
  data: EventData;
}

export interface NewEvent {
  type: string;
  data: EventData;
}

/**
 * Adds events below `lastSeq`, which the caller has just reserved by raising the job's `eventSeq`: the row's lock
 * keeps others from the same numbers, the transaction keeps holes out.
 */
export function* appendEvents(tx: Tx, jobId: string, lastSeq: number, events: NewEvent[]): Verb<void> {
  if (events.length === 0) return;
  const first = lastSeq - events.length + 1;
  const values = events.map((event, i) => ({ jobId, seq: first + i, at: tx.now, ...event }));
  yield* insertRows(tx, tx.t.jobEvents, values);
}

/** Events of a job after `afterSeq`, oldest first. The caller has made sure that the reader may see the job. */
export function eventsAfter(db: Database, jobId: string, afterSeq = 0, limit = 1_000): Promise<JobEvent[]> {
  const after = "where job_id = ? and seq > ? order by seq limit ?";
  return db.read((tx) => selectRows(tx, tx.t.jobEvents, after, [jobId, afterSeq, limit]));
}

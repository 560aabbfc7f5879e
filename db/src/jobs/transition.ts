import type { JobStatus } from "@cartoon/protos";
import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import { followBoard, followShot } from "../storyboards/follow.ts";
import { boardOf } from "../storyboards/shots.ts";
import { rows, type Tx, type Verb } from "../verb.ts";
import { enqueueDeliveries } from "../webhooks/enqueue-deliveries.ts";
import { appendEvents, type NewEvent } from "./events.ts";
import type { JobRow } from "./job.ts";

export type JobChange = Partial<{ [K in keyof JobRow]: JobRow[K] | SQL }>;

/** An attempt as its runner names it. */
export interface Attempt {
  id: string;
  fence: number;
}

/**
 * The one way to change a job: a conditional update that also reserves the events' numbers, then the events, the
 * webhook deliveries that they call for, and what a shot's change means for its storyboard. When the condition does not hold, nothing happens and there is no row.
 */
export function* transition(
  tx: Tx,
  where: SQL | undefined,
  change: JobChange,
  events: NewEvent[],
): Verb<JobRow | undefined> {
  const { jobs } = tx.t;
  const set = { ...change, eventSeq: sql`${jobs.eventSeq} + ${sql.raw(String(events.length))}` };
  const [row] = yield* rows(tx.db.update(jobs).set(set).where(where).returning());
  if (!row) return undefined;
  yield* appendEvents(tx, row.id, row.eventSeq, events);
  yield* enqueueDeliveries(tx, row, events);
  const boardId = boardOf(row);
  if (boardId !== undefined) yield* followShot(tx, row, boardId, events);
  if (row.spec.join) yield* followBoard(tx, row);
  tx.wake({ type: "changed", jobId: row.id });
  return row;
}

/** Condition of a runner's verbs: still this attempt, in one of these states. */
export function heldBy(tx: Tx, attempt: Attempt, statuses: JobStatus[]): SQL | undefined {
  const { jobs } = tx.t;
  return and(eq(jobs.id, attempt.id), eq(jobs.fence, attempt.fence), inArray(jobs.status, statuses));
}

/** Says why a runner's verb found nothing to change. */
export function* refuseAttempt(tx: Tx, attempt: Attempt): Verb<never> {
  const { jobs } = tx.t;
  const shown = { status: jobs.status, fence: jobs.fence };
  const [job] = yield* rows(tx.db.select(shown).from(jobs).where(eq(jobs.id, attempt.id)));
  if (!job) throw new VerbError("not_found", `There is no job ${attempt.id}.`);
  if (job.fence !== attempt.fence) {
    throw new VerbError("stale_fence", `Job ${attempt.id} is at fence ${job.fence}, not ${attempt.fence}.`, {
      fence: job.fence,
      status: job.status,
    });
  }
  throw new VerbError("invalid_transition", `Job ${attempt.id} is ${job.status}.`, { status: job.status });
}

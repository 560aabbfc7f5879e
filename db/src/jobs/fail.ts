import { eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { Receipt } from "../schema/values.ts";
import { addUsage } from "../usage/add-usage.ts";
import { forUpdate, rows, type Tx, type Verb } from "../verb.ts";
import { endJob } from "./end.ts";
import { type Job, type JobRow, toJob } from "./job.ts";
import { type Attempt, heldBy, refuseAttempt, transition } from "./transition.ts";

/** A job that has cost two nodes their lives gets no third. */
const MAX_NODE_DEATHS = 2;
/** Failures that may pass (`retryable`) are tried this many times in all. */
const MAX_FAILURES = 3;
const FIRST_RETRY_MS = 1_000;

export interface Failure extends Attempt {
  /** Stable, e.g. `out_of_memory`, `runner_lost`, `node_lost`, `upload_failed`. */
  code: string;
  message: string;
  /** Another attempt may succeed. */
  retryable: boolean;
  /** The node or its runner died under the job. */
  nodeDied?: boolean;
  /** The attempt was refused or lost through no fault of the job: back to the queue at once, nothing is counted. */
  blameless?: boolean;
  receipt?: Receipt;
}

/**
 * An attempt has failed: the job goes back to the queue, or ends as `failed`. A job whose cancellation was asked for
 * ends as `canceled` instead of starting again.
 *
 * @throws VerbError `stale_fence`, `invalid_transition`, `not_found`
 */
export function fail(db: Database, failure: Failure): Promise<Job> {
  return db.write(function* (tx): Verb<Job> {
    const held = heldBy(tx, failure, ["running", "committing"]);
    const [job] = yield* rows(forUpdate(tx, tx.db.select().from(tx.t.jobs).where(held).$dynamic()));
    if (!job) return yield* refuseAttempt(tx, failure);
    return toJob(yield* failAttempt(tx, job, failure));
  });
}

/** What becomes of a job whose row is locked by this transaction and whose attempt has failed. */
export function* failAttempt(tx: Tx, job: JobRow, failure: Failure): Verb<JobRow> {
  const { jobs } = tx.t;
  const mine = eq(jobs.id, job.id);
  const deviceSeconds = failure.receipt?.deviceSeconds ?? 0;
  const receipt = failure.receipt ? { receipt: failure.receipt } : {};
  const counted = {
    nodeDeaths: job.nodeDeaths + (failure.nodeDied ? 1 : 0),
    failures: job.failures + (failure.blameless ? 0 : 1),
  };
  if (job.cancelRequestedAt !== null) {
    const ended = { status: "canceled", data: { receipt: failure.receipt ?? null }, deviceSeconds } as const;
    return must(yield* endJob(tx, mine, ended, { ...counted, ...receipt }));
  }
  const error = finalError(failure, counted);
  if (error) {
    const data = { ...error, receipt: failure.receipt ?? null };
    return must(
      yield* endJob(tx, mine, { status: "failed", data, error, deviceSeconds }, { ...counted, ...receipt }),
    );
  }
  if (deviceSeconds > 0) yield* addUsage(tx, job.tenant, { jobs: 0, deviceSeconds });
  const wait = failure.blameless || failure.nodeDied ? 0 : FIRST_RETRY_MS * 2 ** (counted.failures - 1);
  return yield* requeue(tx, job, { code: failure.code, message: failure.message }, wait, {
    ...counted,
    ...receipt,
    deviceSeconds: sql`${jobs.deviceSeconds} + ${deviceSeconds}`,
  });
}

/** Back into the queue, at its old place, with its checkpoint. */
export function* requeue(
  tx: Tx,
  job: JobRow,
  why: { code: string; message: string },
  waitMs: number,
  change: Parameters<typeof transition>[2],
): Verb<JobRow> {
  const event = { type: "requeued", data: { ...why, attempt: job.attempt } };
  const queued = {
    ...change,
    status: "queued",
    stage: "",
    edgeId: null,
    nodeId: null,
    leaseExpiresAt: null,
    runDeadline: null,
    availableAt: tx.now + waitMs,
    queuedAt: tx.now,
    // A job that has started once no longer waits for its first start.
    queueDeadline: null,
  };
  const row = must(yield* transition(tx, eq(tx.t.jobs.id, job.id), queued, [event]));
  tx.wake({ type: "queued" });
  return row;
}

function finalError(failure: Failure, counted: { nodeDeaths: number; failures: number }) {
  const { code, message } = failure;
  if (counted.nodeDeaths >= MAX_NODE_DEATHS) {
    const text = `${counted.nodeDeaths} nodes died while they ran this job; it is not tried again. Last: ${message}`;
    return { code: "poison", message: text };
  }
  if (failure.nodeDied || failure.blameless) return undefined;
  if (!failure.retryable || counted.failures >= MAX_FAILURES) return { code, message };
  return undefined;
}

/** The row was read and locked in this very transaction. */
function must(row: JobRow | undefined): JobRow {
  if (!row) throw new Error("A locked job has gone.");
  return row;
}

import { and, eq, lte, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { forUpdate, rows, type Tx, type Verb } from "../verb.ts";
import { endJob } from "./end.ts";
import { requeue } from "./fail.ts";
import type { JobRow } from "./job.ts";

/** After so many lost leases something about the job itself brings edges down. */
const MAX_LEASE_EXPIRIES = 10;
const AT_ONCE = 100;

export interface Swept {
  /** Jobs whose edge went silent: back in the queue, or ended. */
  expiredLeases: string[];
  /** Jobs that waited or ran too long. */
  timedOut: string[];
}

/**
 * Takes back what silent edges hold, and ends what has waited or run for too long. Every edge calls it every second
 * or so; they don't get in each other's way.
 */
export function sweep(db: Database): Promise<Swept> {
  return db.write(function* (tx): Verb<Swept> {
    const timedOut = [...(yield* timeOutRunning(tx)), ...(yield* timeOutQueued(tx))];
    const expiredLeases: string[] = [];
    const { jobs } = tx.t;
    for (const job of yield* locked(tx, and(held(tx), lte(jobs.leaseExpiresAt, tx.now)))) {
      yield* takeBack(tx, job);
      expiredLeases.push(job.id);
    }
    return { expiredLeases, timedOut };
  });
}

/** Literal states, so that both databases see that the partial index of leased jobs applies. */
const held = (tx: Tx) => sql`${tx.t.jobs.status} in ('running', 'committing')`;

function* takeBack(tx: Tx, job: JobRow): Verb<void> {
  const mine = eq(tx.t.jobs.id, job.id);
  const leaseExpiries = job.leaseExpiries + 1;
  const message = "The edge that ran this job went silent.";
  if (job.cancelRequestedAt !== null) {
    yield* endJob(tx, mine, { status: "canceled", data: { receipt: null } }, { leaseExpiries });
  } else if (leaseExpiries >= MAX_LEASE_EXPIRIES) {
    const error = {
      code: "lease_lost",
      message: `${message} That was time ${leaseExpiries}; it is not tried again.`,
    };
    yield* endJob(tx, mine, { status: "failed", data: error, error }, { leaseExpiries });
  } else {
    yield* requeue(tx, job, { code: "lease_expired", message }, 0, { leaseExpiries });
  }
}

function* timeOutRunning(tx: Tx): Verb<string[]> {
  const { jobs } = tx.t;
  // Once it is committing the work is done; the lease alone limits it then.
  const late = and(held(tx), eq(jobs.status, "running"), lte(jobs.runDeadline, tx.now));
  return yield* timeOut(tx, late, (job) => ({
    code: "execution_timeout",
    message: `The job ran for more than ${job.executionTimeoutMs} ms.`,
  }));
}

function* timeOutQueued(tx: Tx): Verb<string[]> {
  const { jobs } = tx.t;
  const queued = sql`${jobs.status} = 'queued' and ${jobs.queueDeadline} is not null`;
  return yield* timeOut(tx, and(queued, lte(jobs.queueDeadline, tx.now)), (job) => ({
    code: "queue_timeout",
    message: `The job waited for more than ${job.queueTtlMs} ms.`,
  }));
}

function* timeOut(
  tx: Tx,
  where: SQL | undefined,
  errorOf: (job: JobRow) => { code: string; message: string },
): Verb<string[]> {
  const found = yield* locked(tx, where);
  for (const job of found) {
    const error = errorOf(job);
    yield* endJob(tx, eq(tx.t.jobs.id, job.id), { status: "timed_out", data: error, error });
    tx.wake({ type: "cancel", jobId: job.id });
  }
  return found.map(({ id }) => id);
}

function* locked(tx: Tx, where: SQL | undefined): Verb<JobRow[]> {
  const query = tx.db.select().from(tx.t.jobs).where(where).limit(AT_ONCE).$dynamic();
  return yield* rows(forUpdate(tx, query, { skipLocked: true }));
}

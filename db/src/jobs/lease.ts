import { and, asc, desc, eq, inArray, lte, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { forUpdate, rows, type Verb } from "../verb.ts";
import { type Job, type JobRow, toJob } from "./job.ts";
import { advanceClock } from "./shares.ts";
import { transition } from "./transition.ts";

export interface LeaseInput {
  /** The edge that dispatches. */
  edgeId: string;
  /** The node that will run the job, when it is known already. */
  nodeId?: string;
  /** How long before the lease must be renewed. */
  leaseMs: number;
  /** At most this many jobs; default 1. */
  count?: number;
  /** Only jobs of these packs; `""` is the default pack. */
  packs?: string[];
  /** Only these jobs, e.g. one that a look at the queue found to suit a warm node. */
  ids?: string[];
}

/**
 * Takes the next jobs out of the queue: by priority, then in fair turns between tenants. Each gets a higher fence
 * and one more attempt. No two callers ever get the same job.
 */
export function lease(db: Database, input: LeaseInput): Promise<Job[]> {
  return db.write(function* (tx): Verb<Job[]> {
    const { jobs } = tx.t;
    const next = tx.db
      .select({ id: jobs.id })
      .from(jobs)
      .where(and(queuedNow(jobs, tx.now), ...choice(jobs, input)))
      .orderBy(desc(jobs.priority), asc(jobs.share), asc(jobs.id))
      .limit(input.count ?? 1)
      .$dynamic();
    const found = yield* rows(forUpdate(tx, next, { skipLocked: true }));
    const leased: JobRow[] = [];
    for (const { id } of found) {
      const row = yield* transition(
        tx,
        and(eq(jobs.id, id), sql`${jobs.status} = 'queued'`),
        {
          status: "running",
          attempt: sql`${jobs.attempt} + 1`,
          fence: sql`${jobs.fence} + 1`,
          edgeId: input.edgeId,
          nodeId: input.nodeId ?? null,
          leaseExpiresAt: tx.now + input.leaseMs,
          startedAt: sql`coalesce(${jobs.startedAt}, ${tx.now})`,
          runDeadline: sql`${jobs.executionTimeoutMs} + ${tx.now}`,
          stage: "",
        },
        [{ type: "leased", data: { edge: input.edgeId, ...(input.nodeId && { node: input.nodeId }) } }],
      );
      if (row) leased.push(row);
    }
    yield* advanceClock(tx, leased);
    return leased.map(toJob);
  });
}

/** The head of the queue as `lease` would take it, without taking it: to choose a node by what is warm. */
export function peekQueue(db: Database, limit: number, packs?: string[]): Promise<Job[]> {
  return db.read(function* (tx): Verb<Job[]> {
    const { jobs } = tx.t;
    const next = tx.db
      .select()
      .from(jobs)
      .where(and(queuedNow(jobs, tx.now), ...choice(jobs, { packs })))
      .orderBy(desc(jobs.priority), asc(jobs.share), asc(jobs.id))
      .limit(limit);
    return (yield* rows(next)).map(toJob);
  });
}

type Jobs = typeof import("../schema/postgres.ts").jobs;

/** Literal status, so that both databases see that the partial index of waiting jobs applies. */
const queuedNow = (jobs: Jobs, now: number) =>
  and(
    sql`${jobs.status} = 'queued'`,
    lte(jobs.availableAt, now),
    sql`(${jobs.queueDeadline} is null or ${jobs.queueDeadline} > ${now})`,
  );

function choice(jobs: Jobs, { packs, ids }: { packs?: string[]; ids?: string[] }): (SQL | undefined)[] {
  return [packs && inArray(jobs.pack, packs), ids && inArray(jobs.id, ids)];
}

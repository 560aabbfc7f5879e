import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, type Verb } from "../verb.ts";

/** What waits and what is under way, over all tenants. */
export interface QueueLoad {
  queued: number;
  /** Running or committing. */
  running: number;
  /** Ms that the oldest waiting job has waited; 0 when none waits. */
  oldestWaitMs: number;
}

/** The load on the queue, for metrics; reads the index of waiting jobs alone, so that history costs nothing. */
export function queueLoad(db: Database): Promise<QueueLoad> {
  return db.read(function* (tx): Verb<QueueLoad> {
    const { jobs } = tx.t;
    const total = sql`count(*)`.mapWith(Number);
    const oldest = sql`min(${jobs.queuedAt})`.mapWith(Number);
    const waiting = tx.db.select({ total, oldest }).from(jobs).where(sql`${jobs.status} = 'queued'`);
    const [queued] = yield* rows(waiting);
    const held = sql`${jobs.status} in ('running', 'committing')`;
    const [running] = yield* rows(tx.db.select({ total }).from(jobs).where(held));
    const since = queued?.oldest ?? 0;
    return {
      queued: queued?.total ?? 0,
      running: running?.total ?? 0,
      oldestWaitMs: since > 0 ? Math.max(0, tx.now - since) : 0,
    };
  });
}

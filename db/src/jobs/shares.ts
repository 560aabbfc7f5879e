import { and, eq, sql } from "drizzle-orm";
import { prepared } from "../prepared.ts";
import { run, type Tx, type Verb } from "../verb.ts";
import type { JobRow } from "./job.ts";

/**
 * Fair shares between keys by start-time fair queueing: within a priority, jobs leave the queue by their `share` tag,
 * and a job's tag is one above the larger of its key's last waiting job and the queue's clock (the tag that left
 * last). So a key with a thousand waiting jobs and one that comes with its first take turns. Jobs that came without a
 * key share their tenant's turn.
 */
export function* nextShares(tx: Tx, jobs: JobRow[]): Verb<void> {
  if (jobs.length === 0) return;
  const clocks = new Map<number, number>();
  for (const { priority, share } of yield* prepared(tx, "select priority, share from queue_clock", []))
    clocks.set(Number(priority), Number(share));
  const last = new Map<string, number>();
  for (const job of jobs) {
    const lane = `${job.priority}:${payerOf(job)}`;
    const before = last.get(lane) ?? (yield* lastWaiting(tx, job)) ?? 0;
    job.share = Math.max(before, clocks.get(job.priority) ?? 0) + 1;
    last.set(lane, job.share);
  }
}

const payerOf = ({ keyId, tenant }: JobRow): string => keyId ?? tenant;

function* lastWaiting(tx: Tx, job: JobRow): Verb<number | null> {
  const [row] = yield* prepared(tx, LAST_WAITING, [payerOf(job), job.priority]);
  return row ? Number(row.share) : null;
}

// Not max(): before it has statistics Postgres reads all of them for that.
const LAST_WAITING =
  "select share from jobs where status = 'queued' and coalesce(key_id, tenant) = ? and priority = ? order by share desc limit 1";

/** Moves the queue's clock on to the tags that have just left. */
export function* advanceClock(tx: Tx, leased: JobRow[]): Verb<void> {
  const tags = new Map<number, number>();
  for (const job of leased) tags.set(job.priority, Math.max(tags.get(job.priority) ?? 0, job.share));
  const { queueClock } = tx.t;
  // In one order everywhere, so that two processes never wait for each other's rows.
  for (const [priority, share] of [...tags].sort(([a], [b]) => a - b)) {
    const behind = and(eq(queueClock.priority, priority), sql`${queueClock.share} < ${share}`);
    yield* run(tx.db.update(queueClock).set({ share }).where(behind));
  }
}

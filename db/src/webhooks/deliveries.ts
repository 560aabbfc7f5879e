import { and, asc, desc, eq, inArray, lte, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import type { EventData } from "../schema/values.ts";
import { needSealer } from "../secrets/seal.ts";
import { forUpdate, rows, run, type Schema, type Tx, type Verb } from "../verb.ts";

/** When Standard Webhooks tries again: ms after each failed attempt. */
export const STANDARD_SCHEDULE_MS: readonly number[] = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];

export interface Delivery {
  id: string;
  tenant: string;
  jobId: string;
  url: string;
  style: string;
  event: string;
  /** Sequence of the event in the job's log. */
  eventSeq: number;
  status: "pending" | "delivered" | "failed";
  /** Attempts made so far. */
  attempts: number;
  nextAt: number;
  createdAt: number;
  completedAt: number | null;
}

/** A delivery to be made now, by whoever has leased it. */
export interface DueDelivery extends Delivery {
  /** Opened; `null` when the receiver wants no signature. */
  secret: string | null;
  /** The event's data and time. */
  data: EventData;
  at: number;
}

/** Takes deliveries that are due; nobody else gets them for `lockMs`. Report each with `recordDelivery`. */
export function leaseDeliveries(db: Database, limit: number, lockMs: number): Promise<DueDelivery[]> {
  return db.write(function* (tx): Verb<DueDelivery[]> {
    const { deliveries, jobEvents } = tx.t;
    const due = and(
      sql`${deliveries.status} = 'pending'`,
      lte(deliveries.nextAt, tx.now),
      lte(deliveries.lockedUntil, tx.now),
    );
    const pick = tx.db.select({ id: deliveries.id }).from(deliveries).where(due);
    const next = pick.orderBy(asc(deliveries.nextAt)).limit(limit).$dynamic();
    const ids = (yield* rows(forUpdate(tx, next, { skipLocked: true }))).map(({ id }) => id);
    if (ids.length === 0) return [];
    const mine = inArray(deliveries.id, ids);
    yield* run(
      tx.db
        .update(deliveries)
        .set({ lockedUntil: tx.now + lockMs })
        .where(mine),
    );
    const found = yield* rows(withTargets(tx, mine));
    const taken: DueDelivery[] = [];
    for (const row of found) {
      const itsEvent = and(
        eq(jobEvents.jobId, row.deliveries.jobId),
        eq(jobEvents.seq, row.deliveries.eventSeq),
      );
      const [event] = yield* rows(tx.db.select().from(jobEvents).where(itsEvent));
      const sealed = row.job_webhooks.sealedSecret;
      const secret = sealed === null ? null : needSealer(db.sealer).open(sealed, "webhook");
      taken.push({
        ...toDelivery(row),
        secret,
        data: event?.data ?? {},
        at: event?.at ?? row.deliveries.createdAt,
      });
    }
    return taken;
  });
}

export interface DeliveryOutcome {
  id: string;
  delivered: boolean;
  /** Of the answer; `null` when there was none. */
  statusCode: number | null;
  milliseconds: number;
  /** Why it failed, without secrets. */
  error?: string;
  /** Until the next attempt; `null` gives up. Not read when it was delivered. */
  retryInMs: number | null;
}

/** Writes an attempt into the delivery log and plans the next one. */
export function recordDelivery(db: Database, outcome: DeliveryOutcome): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { deliveries, deliveryAttempts } = tx.t;
    const goesOn = !outcome.delivered && outcome.retryInMs !== null;
    const set = {
      status: outcome.delivered ? "delivered" : goesOn ? "pending" : "failed",
      attempts: sql`${deliveries.attempts} + 1`,
      nextAt: tx.now + (outcome.retryInMs ?? 0),
      lockedUntil: 0,
      completedAt: goesOn ? null : tx.now,
    };
    const update = tx.db.update(deliveries).set(set).where(eq(deliveries.id, outcome.id));
    const [row] = yield* rows(update.returning({ attempts: deliveries.attempts }));
    if (!row) return;
    const { id: deliveryId, statusCode, milliseconds, error } = outcome;
    const attempt = {
      deliveryId,
      attempt: row.attempts,
      at: tx.now,
      statusCode,
      milliseconds,
      error: error ?? null,
    };
    yield* run(tx.db.insert(deliveryAttempts).values(attempt));
  });
}

export interface DeliveryAttempt {
  attempt: number;
  at: number;
  statusCode: number | null;
  milliseconds: number;
  error: string | null;
}

/** A tenant's delivery log, newest first, of one job when it is named. */
export function listDeliveries(
  db: Database,
  tenant: string,
  options: { jobId?: string; limit?: number } = {},
): Promise<(Delivery & { log: DeliveryAttempt[] })[]> {
  return db.read(function* (tx): Verb<(Delivery & { log: DeliveryAttempt[] })[]> {
    const { deliveries, deliveryAttempts } = tx.t;
    const ofJob = options.jobId === undefined ? undefined : eq(deliveries.jobId, options.jobId);
    const query = withTargets(tx, and(eq(deliveries.tenant, tenant), ofJob));
    const newest = query.orderBy(desc(deliveries.createdAt), desc(deliveries.id)).limit(options.limit ?? 100);
    const found = (yield* rows(newest)).map(toDelivery);
    if (found.length === 0) return [];
    const which = inArray(
      deliveryAttempts.deliveryId,
      found.map(({ id }) => id),
    );
    const attempts = yield* rows(
      tx.db.select().from(deliveryAttempts).where(which).orderBy(deliveryAttempts.attempt),
    );
    return found.map((delivery) => ({
      ...delivery,
      log: attempts
        .filter((one) => one.deliveryId === delivery.id)
        .map(({ deliveryId, ...attempt }) => attempt),
    }));
  });
}

/** Sends a delivery once more, whatever became of it. @throws VerbError `not_found` */
export function replayDelivery(db: Database, tenant: string, id: string): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { deliveries } = tx.t;
    const again = { status: "pending", nextAt: tx.now, lockedUntil: 0, completedAt: null };
    const mine = and(eq(deliveries.tenant, tenant), eq(deliveries.id, id));
    const found = yield* rows(
      tx.db.update(deliveries).set(again).where(mine).returning({ id: deliveries.id }),
    );
    if (found.length === 0) throw new VerbError("not_found", "There is no such delivery.");
    tx.wake({ type: "delivery" });
  });
}

function withTargets(tx: Tx, where: SQL | undefined) {
  const { deliveries, jobWebhooks } = tx.t;
  const target = and(eq(jobWebhooks.jobId, deliveries.jobId), eq(jobWebhooks.position, deliveries.position));
  return tx.db.select().from(deliveries).innerJoin(jobWebhooks, target).where(where).$dynamic();
}

interface Joined {
  deliveries: Schema["deliveries"]["$inferSelect"];
  job_webhooks: Schema["jobWebhooks"]["$inferSelect"];
}

function toDelivery({ deliveries: row, job_webhooks: target }: Joined): Delivery {
  const { position, lockedUntil, status, ...rest } = row;
  return { ...rest, status: status as Delivery["status"], url: target.url, style: target.style };
}

import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, type Verb } from "../verb.ts";

/** Part of a limit that a process takes from the database at a time and then spends from memory. */
const RESERVED_PART = 20;
const KEPT_BUCKETS = 10_000;

export interface RateLimit {
  /** What is limited, e.g. `requests:<key id>`. */
  bucket: string;
  limit: number;
  windowMs: number;
}

/** Numbers for `RateLimit`, `RateLimit-Policy` and `Retry-After`. */
export interface RateAnswer {
  allowed: boolean;
  limit: number;
  remaining: number;
  /** Until the window ends and the whole limit is there again. */
  resetMs: number;
}

interface Reserve {
  windowStart: number;
  left: number;
  /** What the database had left when it was last asked. */
  shared: number;
  refill: Promise<void> | null;
}

const reserves = new WeakMap<Database, Map<string, Reserve>>();

/**
 * Takes one from a limit that all edges share. Each takes a twentieth of it at a time, so that few requests cost a
 * write; together they never allow more than the limit.
 */
export async function takeRate(db: Database, rate: RateLimit): Promise<RateAnswer> {
  const now = db.now();
  const windowStart = now - (now % rate.windowMs);
  const reserve = reserveOf(db, rate.bucket, windowStart);
  while (reserve.left < 1 && reserve.shared > 0) {
    reserve.refill ??= refill(db, rate, reserve).finally(() => {
      reserve.refill = null;
    });
    await reserve.refill;
  }
  const allowed = reserve.left >= 1;
  if (allowed) reserve.left--;
  const remaining = reserve.left + reserve.shared;
  return { allowed, limit: rate.limit, remaining, resetMs: windowStart + rate.windowMs - now };
}

function reserveOf(db: Database, bucket: string, windowStart: number): Reserve {
  const ofDatabase = reserves.get(db) ?? new Map<string, Reserve>();
  reserves.set(db, ofDatabase);
  const known = ofDatabase.get(bucket);
  if (known && known.windowStart === windowStart) return known;
  if (ofDatabase.size >= KEPT_BUCKETS) ofDatabase.clear();
  const fresh = { windowStart, left: 0, shared: Number.POSITIVE_INFINITY, refill: null };
  ofDatabase.set(bucket, fresh);
  return fresh;
}

async function refill(db: Database, rate: RateLimit, reserve: Reserve): Promise<void> {
  const wanted = Math.max(1, Math.floor(rate.limit / RESERVED_PART));
  const taken = await db.write(function* (tx): Verb<number> {
    const { rateWindows } = tx.t;
    const first = {
      bucket: rate.bucket,
      windowStart: reserve.windowStart,
      taken: wanted,
      expiresAt: reserve.windowStart + 2 * rate.windowMs,
    };
    const insert = tx.db.insert(rateWindows).values(first);
    const add = insert.onConflictDoUpdate({
      target: [rateWindows.bucket, rateWindows.windowStart],
      set: { taken: sql`${rateWindows.taken} + excluded.taken` },
    });
    const [row] = yield* rows(add.returning({ taken: rateWindows.taken }));
    return row?.taken ?? wanted;
  });
  const granted = Math.max(0, Math.min(wanted, rate.limit - (taken - wanted)));
  reserve.left += granted;
  reserve.shared = Math.max(0, rate.limit - taken);
}

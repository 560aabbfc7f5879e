import { and, desc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, type Verb } from "../verb.ts";
import { dayOf } from "./add-usage.ts";

export interface Usage {
  /** UTC, `2026-11-26`. */
  day: string;
  jobs: number;
  deviceSeconds: number;
}

/** What a tenant has used today (UTC), and when the next day begins. */
export function usageToday(db: Database, tenant: string): Promise<Usage & { resetMs: number }> {
  return db.read(function* (tx): Verb<Usage & { resetMs: number }> {
    const day = dayOf(tx.now);
    const { usage } = tx.t;
    const mine = and(eq(usage.tenant, tenant), eq(usage.day, day));
    const [found] = yield* rows(tx.db.select().from(usage).where(mine));
    const resetMs = Date.parse(`${day}T24:00:00Z`) - tx.now;
    return { day, jobs: found?.jobs ?? 0, deviceSeconds: found?.deviceSeconds ?? 0, resetMs };
  });
}

/** A tenant's days, newest first. */
export function listUsage(db: Database, tenant: string, days = 31): Promise<Usage[]> {
  return db.read(function* (tx): Verb<Usage[]> {
    const { usage } = tx.t;
    const query = tx.db
      .select()
      .from(usage)
      .where(eq(usage.tenant, tenant))
      .orderBy(desc(usage.day))
      .limit(days);
    return (yield* rows(query)).map(({ tenant: _, ...rest }) => rest);
  });
}

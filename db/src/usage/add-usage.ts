import { sql } from "drizzle-orm";
import { run, type Tx, type Verb } from "../verb.ts";

/** The UTC day of a time, `2026-11-26`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Adds to what a tenant has used today. */
export function* addUsage(tx: Tx, tenant: string, used: { jobs: number; deviceSeconds: number }): Verb<void> {
  const { usage } = tx.t;
  const insert = tx.db.insert(usage).values({ tenant, day: dayOf(tx.now), ...used });
  yield* run(
    insert.onConflictDoUpdate({
      target: [usage.tenant, usage.day],
      set: {
        jobs: sql`${usage.jobs} + excluded.jobs`,
        deviceSeconds: sql`${usage.deviceSeconds} + excluded.device_seconds`,
      },
    }),
  );
}

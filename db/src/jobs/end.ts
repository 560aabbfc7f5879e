import type { TERMINAL_STATUSES } from "@cartoon/protos";
import { eq, type SQL, sql } from "drizzle-orm";
import type { EventData } from "../schema/values.ts";
import { addUsage } from "../usage/add-usage.ts";
import { run, type Tx, type Verb } from "../verb.ts";
import { type JobRow, toJob } from "./job.ts";
import { type JobChange, transition } from "./transition.ts";

export interface Ended {
  status: (typeof TERMINAL_STATUSES)[number];
  /** Of the last event. */
  data: EventData;
  error?: { code: string; message: string };
  /** Of this attempt alone. */
  deviceSeconds?: number;
}

/** The one way into a terminal state: writes the last event, accounts for the time, wakes, puts webhooks out. */
export function* endJob(
  tx: Tx,
  where: SQL | undefined,
  ended: Ended,
  change: JobChange = {},
): Verb<JobRow | undefined> {
  const { jobs, previews, speechParts } = tx.t;
  const seconds = ended.deviceSeconds ?? 0;
  const event = { type: ended.status, data: ended.data };
  const row = yield* transition(
    tx,
    where,
    {
      ...change,
      status: ended.status,
      errorCode: ended.error?.code ?? null,
      errorMessage: ended.error?.message ?? null,
      deviceSeconds: sql`${jobs.deviceSeconds} + ${seconds}`,
      completedAt: tx.now,
      leaseExpiresAt: null,
      runDeadline: null,
      queueDeadline: null,
      // What may still be retried needs its secrets.
      ...(ended.status === "succeeded" && { sealed: null }),
    },
    [event],
  );
  if (!row) return undefined;
  yield* run(tx.db.delete(previews).where(eq(previews.jobId, row.id)));
  yield* run(tx.db.delete(speechParts).where(eq(speechParts.jobId, row.id)));
  yield* addUsage(tx, row.tenant, { jobs: 1, deviceSeconds: seconds });
  tx.wake({ type: "ended", job: toJob(row) });
  return row;
}

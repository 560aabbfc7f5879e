import { eq } from "drizzle-orm";
import { newId } from "../ids.ts";
import type { NewEvent } from "../jobs/events.ts";
import type { JobRow } from "../jobs/job.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";

/** Puts a delivery into the outbox for each event that someone wants, in the transaction of the event itself. */
export function* enqueueDeliveries(tx: Tx, job: JobRow, events: NewEvent[]): Verb<void> {
  if (job.webhooks === 0 || events.length === 0) return;
  const { jobWebhooks, deliveries } = tx.t;
  const targets = yield* rows(tx.db.select().from(jobWebhooks).where(eq(jobWebhooks.jobId, job.id)));
  const firstSeq = job.eventSeq - events.length + 1;
  const values = events.flatMap((event, i) =>
    targets
      .filter((target) => target.events.includes(event.type))
      .map(({ position }) => ({
        id: newId("dlv", tx.now),
        tenant: job.tenant,
        jobId: job.id,
        position,
        event: event.type,
        eventSeq: firstSeq + i,
        status: "pending",
        attempts: 0,
        nextAt: tx.now,
        lockedUntil: 0,
        createdAt: tx.now,
      })),
  );
  if (values.length === 0) return;
  yield* run(tx.db.insert(deliveries).values(values));
  tx.wake({ type: "delivery" });
}

import { and, eq, type SQL, sql } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import { rows, type Tx, type Verb } from "../verb.ts";

/** How long the size of the whole queue may be taken from memory; it is counted anew before anyone is refused. */
const COUNT_FRESH_MS = 250;

/** How many jobs may wait; without a number there is no limit. Edges that enqueue at the same instant may overshoot by a batch. */
export interface QueueLimits {
  tenantQueued?: number;
  globalQueued?: number;
}

interface Candidate {
  index: number;
  input: { tenant: string; limits?: QueueLimits };
}

interface Count {
  queued: number;
  at: number;
}

const wholeQueue = new WeakMap<object, Count>();

/** Keeps the candidates that fit into the queues, and refuses the others. */
export function* admit<C extends Candidate>(
  tx: Tx,
  candidates: C[],
  refuse: (candidate: C, refusal: VerbError) => void,
): Verb<C[]> {
  const admitted: C[] = [];
  const queuedOf = new Map<string, number>();
  for (const candidate of candidates) {
    const { tenant, limits } = candidate.input;
    const tenantLimit = limits?.tenantQueued;
    if (tenantLimit !== undefined) {
      const queued =
        queuedOf.get(tenant) ?? (yield* countQueued(tx, eq(tx.t.jobs.tenant, tenant), tenantLimit));
      if (queued >= tenantLimit) {
        const message = `You have ${queued} jobs waiting; the limit is ${tenantLimit}.`;
        refuse(candidate, new VerbError("tenant_queue_full", message, { limit: tenantLimit }));
        continue;
      }
      queuedOf.set(tenant, queued + 1);
    }
    const globalLimit = limits?.globalQueued;
    if (globalLimit !== undefined && !(yield* fitsWholeQueue(tx, globalLimit))) {
      const message = `The queue is full (${globalLimit} jobs).`;
      refuse(candidate, new VerbError("queue_full", message, { limit: globalLimit }));
      continue;
    }
    admitted.push(candidate);
  }
  return admitted;
}

function* fitsWholeQueue(tx: Tx, limit: number): Verb<boolean> {
  let count = wholeQueue.get(tx.owner);
  if (!count || tx.now - count.at > COUNT_FRESH_MS || tx.now < count.at || count.queued >= limit) {
    count = { queued: yield* countQueued(tx, undefined, limit), at: tx.now };
    wholeQueue.set(tx.owner, count);
  }
  if (count.queued >= limit) return false;
  count.queued++;
  return true;
}

/** Counts no further than `limit`: the answer matters only below it. */
function* countQueued(tx: Tx, whose: SQL | undefined, limit: number): Verb<number> {
  const { jobs } = tx.t;
  const some = tx.db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(sql`${jobs.status} = 'queued'`, whose))
    .limit(limit)
    .as("some");
  const [found] = yield* rows(tx.db.select({ n: sql`count(*)`.mapWith(Number) }).from(some));
  return found?.n ?? 0;
}

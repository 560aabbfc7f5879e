import { and, sql } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import { rows, type Tx, type Verb } from "../verb.ts";

/**
 * How long a count may be taken from memory; it is made anew before anyone is refused. Far from the limit it may be
 * older: all edges together don't put more than so many jobs into the queue in a millisecond.
 */
const COUNT_FRESH_MS = 250;
const COUNT_FRESH_MAX_MS = 5_000;
const FILLED_PER_MS = 10;

/** How many jobs of one key (of one tenant, where they came without a key), and in all, may wait; without a number there is no limit. Edges that enqueue at the same instant may overshoot by a batch. */
export interface QueueLimits {
  tenantQueued?: number;
  globalQueued?: number;
}

interface Candidate {
  index: number;
  input: { tenant: string; keyId?: string; limits?: QueueLimits };
}

interface Count {
  queued: number;
  at: number;
}

const KEPT_COUNTS = 10_000;
const counts = new WeakMap<object, Map<string, Count>>();

/** Keeps the candidates that fit into the queues, and refuses the others. */
export function* admit<C extends Candidate>(
  tx: Tx,
  candidates: C[],
  refuse: (candidate: C, refusal: VerbError) => void,
): Verb<C[]> {
  const admitted: C[] = [];
  // Admitted by this call: not in the table yet.
  const here = new Map<string, number>();
  for (const candidate of candidates) {
    const { tenant, keyId, limits } = candidate.input;
    const payer = keyId ?? tenant;
    const mine = `payer ${payer}`;
    const refusal =
      (yield* overLimit(tx, here, mine, payer, limits?.tenantQueued, TENANT_FULL)) ??
      (yield* overLimit(tx, here, "all", undefined, limits?.globalQueued, QUEUE_FULL));
    if (refusal) {
      refuse(candidate, refusal);
      continue;
    }
    for (const name of [mine, "all"]) countOne(tx, here, name);
    admitted.push(candidate);
  }
  return admitted;
}

type Refusal = (limit: number) => VerbError;

const TENANT_FULL: Refusal = (limit) =>
  new VerbError("tenant_queue_full", `You have ${limit} jobs waiting; that is the limit.`, { limit });
const QUEUE_FULL: Refusal = (limit) =>
  new VerbError("queue_full", `The queue is full (${limit} jobs).`, { limit });

function* overLimit(
  tx: Tx,
  here: Map<string, number>,
  name: string,
  payer: string | undefined,
  limit: number | undefined,
  refusal: Refusal,
): Verb<VerbError | undefined> {
  if (limit === undefined) return undefined;
  const ofDatabase = counts.get(tx.owner) ?? new Map<string, Count>();
  counts.set(tx.owner, ofDatabase);
  const known = ofDatabase.get(name);
  if (known && isFresh(known, tx.now, limit)) return undefined;
  if (ofDatabase.size >= KEPT_COUNTS) ofDatabase.clear();
  const queued = (yield* countQueued(tx, payer, limit)) + (here.get(name) ?? 0);
  ofDatabase.set(name, { queued, at: tx.now });
  return queued >= limit ? refusal(limit) : undefined;
}

function isFresh({ queued, at }: Count, now: number, limit: number): boolean {
  const untilFull = (limit - queued) / FILLED_PER_MS;
  const freshMs = Math.min(COUNT_FRESH_MAX_MS, Math.max(COUNT_FRESH_MS, untilFull));
  return queued < limit && now >= at && now - at <= freshMs;
}

function countOne(tx: Tx, here: Map<string, number>, name: string): void {
  here.set(name, (here.get(name) ?? 0) + 1);
  const known = counts.get(tx.owner)?.get(name);
  if (known) known.queued++;
}

/** Counts no further than `limit`: the answer matters only below it. */
function* countQueued(tx: Tx, payer: string | undefined, limit: number): Verb<number> {
  const { jobs } = tx.t;
  // As the index of the shares has it.
  const whose = payer === undefined ? undefined : sql`coalesce(${jobs.keyId}, ${jobs.tenant}) = ${payer}`;
  const some = tx.db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(sql`${jobs.status} = 'queued'`, whose))
    .limit(limit)
    .as("some");
  const [found] = yield* rows(tx.db.select({ n: sql`count(*)`.mapWith(Number) }).from(some));
  return found?.n ?? 0;
}

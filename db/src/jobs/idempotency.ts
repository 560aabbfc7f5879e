import { and, eq, inArray, lte } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";
import type { EnqueueInput } from "./draft.ts";
import { type Job, type JobRow, toJob } from "./job.ts";

const DAY_MS = 86_400_000;

export interface Draft {
  index: number;
  input: EnqueueInput;
  row: JobRow;
}

/** What makes two requests of one batch compete for the same job; undefined when nothing can. */
export function identitiesOf({ input }: Draft): string[] {
  const { tenant, alias, idempotencyKey } = input;
  const found: string[] = [];
  if (alias !== undefined) found.push(JSON.stringify(["id", tenant, alias]));
  if (idempotencyKey !== undefined) found.push(JSON.stringify(["key", tenant, idempotencyKey]));
  return found;
}

/** The job that an earlier request has made in this one's place, a refusal when it asked for something else. */
export function* findTwin(tx: Tx, { input, row }: Draft): Verb<Job | VerbError | undefined> {
  if (input.idempotencyKey !== undefined) {
    const known = yield* rememberedKey(tx, input.tenant, input.idempotencyKey);
    if (known && known.idempotency.fingerprint !== row.fingerprint) {
      return new VerbError("idempotency_mismatch", "This idempotency key was used with another request.");
    }
    if (known) return toJob(known.jobs);
  }
  if (input.alias === undefined) return undefined;
  const { jobs } = tx.t;
  const named = yield* rows(
    tx.db
      .select()
      .from(jobs)
      .where(inArray(jobs.id, [row.id, input.alias])),
  );
  const taken = named.find(({ tenant }) => tenant === input.tenant);
  if (!taken) return undefined;
  if (taken.fingerprint === row.fingerprint) return toJob(taken);
  return new VerbError("id_taken", `The id ${input.alias} belongs to a job made by another request.`);
}

function* rememberedKey(tx: Tx, tenant: string, key: string) {
  const { idempotency, jobs } = tx.t;
  const mine = and(eq(idempotency.tenant, tenant), eq(idempotency.key, key));
  yield* run(tx.db.delete(idempotency).where(and(mine, lte(idempotency.expiresAt, tx.now))));
  const joined = tx.db.select().from(idempotency).innerJoin(jobs, eq(jobs.id, idempotency.jobId)).where(mine);
  const [found] = yield* rows(joined);
  return found;
}

/**
 * Takes the drafts' keys. Where another process has just taken one, Postgres waits for its transaction; the drafts
 * that came too late are left out of the answer.
 */
export function* claimKeys(tx: Tx, drafts: Draft[]): Verb<Draft[]> {
  const keyed = drafts.filter(({ input }) => input.idempotencyKey !== undefined);
  if (keyed.length === 0) return drafts;
  const { idempotency } = tx.t;
  const values = keyed.map(({ input, row }) => ({
    tenant: input.tenant,
    key: input.idempotencyKey ?? "",
    fingerprint: row.fingerprint,
    jobId: row.id,
    expiresAt: tx.now + (input.idempotencyTtlMs ?? DAY_MS),
  }));
  // In one order everywhere, so that two processes never wait for each other's keys.
  values.sort((a, b) => (a.key < b.key ? -1 : 1));
  const insert = tx.db.insert(idempotency).values(values).onConflictDoNothing();
  const taken = yield* rows(insert.returning({ jobId: idempotency.jobId }));
  const won = new Set(taken.map(({ jobId }) => jobId));
  return drafts.filter(({ input, row }) => input.idempotencyKey === undefined || won.has(row.id));
}

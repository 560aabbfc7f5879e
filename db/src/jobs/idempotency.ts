import { and, eq, inArray, lte } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import { insertRows } from "../insert-rows.ts";
import { inList, prepared } from "../prepared.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";
import type { EnqueueInput } from "./draft.ts";
import { type Job, type JobRow, toJob } from "./job.ts";

const DAY_MS = 86_400_000;

export interface Draft {
  index: number;
  input: EnqueueInput;
  row: JobRow;
}

/** Until when a job's idempotency key is remembered. */
export const expiryOf = (now: number, input: EnqueueInput): number =>
  now + (input.idempotencyTtlMs ?? DAY_MS);

/** What makes two requests of one batch compete for the same job; undefined when nothing can. */
export function identitiesOf({ input }: Draft): string[] {
  const { tenant, alias, idempotencyKey } = input;
  const found: string[] = [];
  if (alias !== undefined) found.push(JSON.stringify(["id", tenant, alias]));
  if (idempotencyKey !== undefined) found.push(JSON.stringify(["key", tenant, idempotencyKey]));
  return found;
}

/** The job that an earlier request has made in a draft's place, a refusal when it asked for something else. */
export type Twin = Job | VerbError;

/** Twins by the drafts' index. */
export function* findTwins(tx: Tx, drafts: Draft[]): Verb<Map<number, Twin>> {
  const twins = new Map<number, Twin>();
  const remembered = yield* rememberedKeys(tx, drafts);
  for (const draft of drafts) {
    const twin = (yield* twinByKey(tx, draft, remembered)) ?? (yield* twinByAlias(tx, draft));
    if (twin) twins.set(draft.index, twin);
  }
  return twins;
}

interface RememberedKey {
  fingerprint: string;
  jobId: string;
}

const nameOf = (tenant: string, key: string) => JSON.stringify([tenant, key]);

/** What is remembered of the drafts' idempotency keys; those whose time is over are forgotten. */
function* rememberedKeys(tx: Tx, drafts: Draft[]): Verb<Map<string, RememberedKey>> {
  const byTenant = new Map<string, string[]>();
  for (const { input } of drafts)
    if (input.idempotencyKey !== undefined)
      byTenant.set(input.tenant, [...(byTenant.get(input.tenant) ?? []), input.idempotencyKey]);
  const remembered = new Map<string, RememberedKey>();
  const text = `select key, fingerprint, job_id, expires_at from idempotency where tenant = ? and key ${inList(tx)}`;
  for (const [tenant, keys] of byTenant) {
    const found = yield* prepared(tx, text, [tenant, JSON.stringify(keys)]);
    for (const { key, fingerprint, job_id, expires_at } of found) {
      if (Number(expires_at) <= tx.now) yield* forgetKey(tx, tenant, String(key));
      else
        remembered.set(nameOf(tenant, String(key)), {
          fingerprint: String(fingerprint),
          jobId: String(job_id),
        });
    }
  }
  return remembered;
}

function* forgetKey(tx: Tx, tenant: string, key: string): Verb<void> {
  const { idempotency } = tx.t;
  const mine = and(eq(idempotency.tenant, tenant), eq(idempotency.key, key));
  yield* run(tx.db.delete(idempotency).where(and(mine, lte(idempotency.expiresAt, tx.now))));
}

function* twinByKey(
  tx: Tx,
  { input, row }: Draft,
  remembered: Map<string, RememberedKey>,
): Verb<Twin | undefined> {
  if (input.idempotencyKey === undefined) return undefined;
  const known = remembered.get(nameOf(input.tenant, input.idempotencyKey));
  if (!known) return undefined;
  if (known.fingerprint !== row.fingerprint)
    return new VerbError("idempotency_mismatch", "This idempotency key was used with another request.");
  const { jobs } = tx.t;
  const [job] = yield* rows(tx.db.select().from(jobs).where(eq(jobs.id, known.jobId)));
  return job && toJob(job);
}

function* twinByAlias(tx: Tx, { input, row }: Draft): Verb<Twin | undefined> {
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

/**
 * Takes the drafts' keys. Where another process has just taken one, Postgres waits for its transaction; the drafts
 * that came too late are left out of the answer.
 */
export function* claimKeys(tx: Tx, drafts: Draft[]): Verb<Draft[]> {
  const keyed = drafts.filter(({ input }) => input.idempotencyKey !== undefined);
  if (keyed.length === 0) return drafts;
  const values = keyed.map(({ input, row }) => ({
    tenant: input.tenant,
    key: input.idempotencyKey ?? "",
    fingerprint: row.fingerprint,
    jobId: row.id,
    expiresAt: expiryOf(tx.now, input),
  }));
  // In one order everywhere, so that two processes never wait for each other's keys.
  values.sort((a, b) => (a.key < b.key ? -1 : 1));
  const taken = yield* insertRows(tx, tx.t.idempotency, values, "on conflict do nothing returning job_id");
  const won = new Set(taken.map(({ job_id }) => job_id));
  return drafts.filter(({ input, row }) => input.idempotencyKey === undefined || won.has(row.id));
}

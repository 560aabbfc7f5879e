import { getTableColumns } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { prepared } from "../prepared.ts";
import * as schema from "../schema/postgres.ts";
import type { Tx, Verb } from "../verb.ts";
import { NEW_JOB } from "./draft.ts";
import { type Draft, expiryOf } from "./idempotency.ts";

const COLUMNS: [key: string, column: PgColumn][] = Object.entries(getTableColumns(schema.jobs));
/** Columns that differ from one new job to the next: what is sent. The others are written into the statement. */
const SENT = COLUMNS.filter(([key]) => !(key in NEW_JOB));

function expressionOf([key, { name }]: [string, PgColumn]): string {
  if (key === "share") return "base + turn";
  if (key === "webhooks") return "(select count(*) from hooks where hooks.tenant = won.tenant)";
  if (!(key in NEW_JOB)) return `won."${name}"`;
  const value = NEW_JOB[key as keyof typeof NEW_JOB];
  return typeof value === "string" ? `'${value}'` : String(value);
}

const sentTypes = SENT.map(([, column]) => `"${column.name}" ${column.getSQLType()}`);

/**
 * All that a batch of new jobs writes, in one statement for Postgres: each round trip that it saves is one less
 * that fifty clients wait for. Keys that somebody else has taken are left out, and their jobs with them. Shares are
 * those of `nextShares`, webhooks those of `addJobWebhooks`.
 */
const STATEMENT = `
with given as materialized (
  select * from json_to_recordset(?::text::json) as given (
    ${sentTypes.join(", ")}, turn_in integer, event json, idempotency_key text, key_expires_at bigint
  )
), claimed as (
  insert into idempotency (tenant, key, fingerprint, job_id, expires_at)
  select tenant, idempotency_key, fingerprint, id, key_expires_at from given
  where idempotency_key is not null order by idempotency_key
  on conflict do nothing returning job_id
), won as materialized (
  select *, coalesce(key_id, tenant) as payer,
    row_number() over (partition by coalesce(key_id, tenant), priority order by turn_in) as turn from given
  where idempotency_key is null or id in (select job_id from claimed)
), lanes as materialized (
  select payer, priority, greatest(0,
    (select share from queue_clock where queue_clock.priority = lane.priority),
    (select share from jobs where status = 'queued' and coalesce(jobs.key_id, jobs.tenant) = lane.payer
      and jobs.priority = lane.priority order by share desc limit 1)) as base
  from (select distinct payer, priority from won) as lane
), hooks as materialized (
  select *, row_number() over (partition by tenant order by created_at, id) - 1 as position from webhooks
  where enabled and tenant in (select tenant from won)
), made as (
  insert into jobs (${COLUMNS.map(([, { name }]) => `"${name}"`).join(", ")})
  select ${COLUMNS.map(expressionOf).join(", ")} from won join lanes using (payer, priority)
  returning id, share, webhooks
), told as (
  insert into job_webhooks (job_id, position, webhook_id, url, sealed_secret, style, events)
  select won.id, position, hooks.id, url, sealed_secret, style, events from won join hooks using (tenant)
), logged as (
  insert into job_events (job_id, seq, type, at, data) select id, 1, 'queued', created_at, event from won
)
select id, share, webhooks from made`;

/** Whether a job can be made by the one statement: nothing but its own row and its key has to be looked at. */
export const isPlain = ({ input }: Draft): boolean =>
  input.alias === undefined && (input.webhooks ?? []).length === 0;

/**
 * Makes the drafts' jobs, on Postgres, and fills in their rows' `share` and `webhooks`.
 *
 * @returns those that were made; the others' keys are taken
 */
export function* insertAtOnce(tx: Tx, drafts: Draft[]): Verb<Draft[]> {
  if (drafts.length === 0) return [];
  const params = [JSON.stringify(drafts.map((draft, i) => toRecord(tx.now, draft, i)))];
  const made = new Map((yield* prepared(tx, STATEMENT, params)).map((row) => [row.id, row]));
  return drafts.filter(({ row }) => {
    const kept = made.get(row.id);
    row.share = Number(kept?.share);
    row.webhooks = Number(kept?.webhooks);
    return kept !== undefined;
  });
}

function toRecord(now: number, { input, row }: Draft, index: number): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const [key, { name }] of SENT) record[name] = row[key as keyof typeof row];
  record.turn_in = index;
  record.event = { priority: input.priority ?? "normal" };
  if (input.idempotencyKey !== undefined) {
    record.idempotency_key = input.idempotencyKey;
    record.key_expires_at = expiryOf(now, input);
  }
  return record;
}

import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { Job } from "./jobs/job.ts";
import type * as schema from "./schema/postgres.ts";

export type Schema = typeof schema;

/**
 * What a verb works on. The types are those of Postgres; on SQLite the same names carry SQLite's tables, and the
 * query builder is the same as far as the verbs go.
 */
export interface Tx {
  readonly dialect: "sqlite" | "postgres";
  readonly db: PgDatabase<PgQueryResultHKT, Schema>;
  readonly t: Schema;
  /** The open database, as an identity: for what is kept per database in memory. */
  readonly owner: object;
  /** Milliseconds since 1970, one value for the whole transaction. */
  readonly now: number;
  /** A statement as text, with `?` on SQLite and `$1`, `$2`, … on Postgres; prepared once. */
  raw(text: string, params: unknown[]): PromiseLike<unknown[]>;
  /** Wakes subscribers once the transaction is committed. */
  wake(event: Wake): void;
}

/**
 * What subscribers hear. `poll`: something may have changed, look again. `ended`: this very process has written a
 * job's last state; no other process hears of it, so that over all of them every ending is told of once.
 * `characters`: a tenant has registered or removed one.
 */
export type Wake =
  | { type: "queued" }
  | { type: "changed"; jobId: string }
  | { type: "cancel"; jobId: string }
  | { type: "delivery" }
  | { type: "ended"; job: Job }
  | { type: "characters"; tenant: string }
  | { type: "poll" };

/**
 * A verb yields queries and gets their rows. SQLite runs it in one go without giving up the thread, so that
 * nothing slips into its transaction; Postgres awaits each query.
 */
export type Verb<T> = Generator<PromiseLike<unknown>, T, unknown>;

/** Runs a query of the builder inside a verb: `const found = yield* rows(tx.db.select().from(tx.t.jobs))`. */
export function* rows<T>(query: PromiseLike<T[]>): Verb<T[]> {
  return (yield query) as T[];
}

/** Runs a statement whose rows are of no interest. */
export function* run(query: PromiseLike<unknown>): Verb<void> {
  yield query;
}

interface Lockable<Q> {
  for(strength: "update", config?: { skipLocked?: boolean }): Q;
}

/** `FOR UPDATE` on Postgres; on SQLite a writing transaction is alone anyway. */
export function forUpdate<Q>(tx: Tx, query: Q & Lockable<Q>, config?: { skipLocked?: boolean }): Q {
  return tx.dialect === "postgres" ? query.for("update", config) : query;
}

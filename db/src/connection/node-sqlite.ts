import type { DatabaseSync, StatementSync } from "node:sqlite";
import { BetterSQLiteSession } from "drizzle-orm/better-sqlite3/session";
import { BaseSQLiteDatabase, SQLiteSyncDialect } from "drizzle-orm/sqlite-core";

const KEPT_STATEMENTS = 256;

interface RawStatement {
  all(...params: unknown[]): unknown[];
  get(...params: unknown[]): unknown;
}

/** Keeps the statements it has prepared. */
export class Statements {
  readonly #client: DatabaseSync;
  readonly #prepared = new Map<string, ReturnType<typeof statement>>();

  constructor(client: DatabaseSync) {
    this.#client = client;
  }

  prepare(sql: string): ReturnType<typeof statement> {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const made = statement(this.#client, sql);
    if (this.#prepared.size >= KEPT_STATEMENTS) {
      const oldest = this.#prepared.keys().next().value;
      if (oldest !== undefined) this.#prepared.delete(oldest);
    }
    this.#prepared.set(sql, made);
    return made;
  }

  /** A query that runs when a verb's driver asks for its rows. */
  query(sql: string, params: unknown[]): PromiseLike<unknown[]> {
    const all = () => this.prepare(sql).all(...params);
    return Object.assign(Promise.resolve([]), { all });
  }
}

/** A drizzle database on node:sqlite, which drizzle 0.45.4 has no driver for, by its better-sqlite3 session. */
export function drizzleOnNodeSqlite(statements: Statements) {
  const dialect = new SQLiteSyncDialect();
  type Client = ConstructorParameters<typeof BetterSQLiteSession>[0];
  const session = new BetterSQLiteSession(statements as unknown as Client, dialect, undefined);
  return new BaseSQLiteDatabase("sync", dialect, session, undefined);
}

function statement(client: DatabaseSync, sql: string) {
  let objects: StatementSync | undefined;
  let arrays: StatementSync | undefined;
  const asObjects = () => {
    objects ??= client.prepare(sql);
    return objects as unknown as RawStatement;
  };
  return {
    run: (...params: unknown[]) => asObjects().all(...params),
    all: (...params: unknown[]) => asObjects().all(...params),
    get: (...params: unknown[]) => asObjects().get(...params),
    raw(): RawStatement {
      if (!arrays) {
        arrays = client.prepare(sql);
        arrays.setReturnArrays(true);
      }
      return arrays as unknown as RawStatement;
    },
  };
}

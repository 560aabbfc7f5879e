import type { DatabaseSync, StatementSync } from "node:sqlite";
import { BetterSQLiteSession } from "drizzle-orm/better-sqlite3/session";
import { BaseSQLiteDatabase, SQLiteSyncDialect } from "drizzle-orm/sqlite-core";

const CACHED_STATEMENTS = 256;

interface RawStatement {
  all(...params: unknown[]): unknown[];
  get(...params: unknown[]): unknown;
}

/**
 * A drizzle database on node:sqlite, which drizzle 0.45.4 has no driver for: its better-sqlite3 session, given a
 * client that prepares through node:sqlite and keeps the statements it has prepared.
 */
export function drizzleOnNodeSqlite(client: DatabaseSync) {
  const dialect = new SQLiteSyncDialect();
  const prepare = cachedPrepare(client);
  type SessionClient = ConstructorParameters<typeof BetterSQLiteSession>[0];
  const session = new BetterSQLiteSession({ prepare } as unknown as SessionClient, dialect, undefined);
  return new BaseSQLiteDatabase("sync", dialect, session, undefined);
}

function cachedPrepare(client: DatabaseSync) {
  const cache = new Map<string, ReturnType<typeof statement>>();
  return (sql: string) => {
    const known = cache.get(sql);
    if (known) return known;
    const made = statement(client, sql);
    if (cache.size >= CACHED_STATEMENTS) {
      const oldest = cache.keys().next().value;
      if (oldest !== undefined) cache.delete(oldest);
    }
    cache.set(sql, made);
    return made;
  };
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

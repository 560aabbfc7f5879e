import { and, eq, isNull, lt, or } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, run, type Verb } from "../verb.ts";
import { type ApiKey, toApiKey } from "./key.ts";
import { hashOf, prefixOf, sameHash } from "./token.ts";

/** How long a verified key is taken from memory: a revocation by another edge shows after that. */
const REMEMBER_MS = 1_000;
const REMEMBERED = 10_000;
/** `lastUsedAt` is no more exact than this, so that reading costs no write. */
const LAST_USED_STEP_MS = 60_000;

const remembered = new WeakMap<Database, Map<string, { key: ApiKey; at: number }>>();

/** The key that a token stands for; `null` when it is unknown, expired or revoked. */
export async function verifyKey(db: Database, token: string): Promise<ApiKey | null> {
  const prefix = prefixOf(token);
  if (prefix === undefined) return null;
  const hash = hashOf(token);
  const known = memory(db).get(hash);
  const now = db.now();
  if (known && now - known.at < REMEMBER_MS && now >= known.at)
    return works(known.key, now) ? known.key : null;

  const row = await db.read(function* (tx) {
    const found = yield* rows(tx.db.select().from(tx.t.apiKeys).where(eq(tx.t.apiKeys.prefix, prefix)));
    return found[0];
  });
  const matches = sameHash(row?.hash ?? hashOf(""), hash);
  if (!row || !matches) return null;
  const key = toApiKey(row);
  if (!works(key, now)) return null;
  remember(db, hash, key, now);
  if ((key.lastUsedAt ?? 0) + LAST_USED_STEP_MS <= now) await touch(db, key.id);
  return key;
}

/** Forgets what `verifyKey` has in memory, after a key was changed in this process. */
export function forgetVerifiedKeys(db: Database): void {
  remembered.delete(db);
}

function works(key: ApiKey, now: number): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now);
}

function touch(db: Database, id: string): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { apiKeys } = tx.t;
    const stale = or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, tx.now - LAST_USED_STEP_MS));
    yield* run(
      tx.db
        .update(apiKeys)
        .set({ lastUsedAt: tx.now })
        .where(and(eq(apiKeys.id, id), stale)),
    );
  });
}

function memory(db: Database) {
  const known = remembered.get(db) ?? new Map<string, { key: ApiKey; at: number }>();
  remembered.set(db, known);
  return known;
}

function remember(db: Database, hash: string, key: ApiKey, at: number): void {
  const known = memory(db);
  if (known.size >= REMEMBERED) known.clear();
  known.set(hash, { key, at });
}

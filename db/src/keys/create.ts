import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { newId } from "../ids.ts";
import { type ApiKeyLimits, SCOPES, type Scope } from "../schema/values.ts";
import { forUpdate, rows, run, type Verb } from "../verb.ts";
import { type NewApiKey, toApiKey } from "./key.ts";
import { newToken } from "./token.ts";

export interface CreateKeyInput {
  tenant: string;
  name: string;
  /** Default: `render`, `read` and `cancel`. */
  scopes?: Scope[];
  limits?: ApiKeyLimits;
  expiresAt?: number;
}

/**
 * Makes a key. The token is in the answer and nowhere else.
 *
 * @throws VerbError `invalid_input` naming the field
 */
export function createKey(db: Database, input: CreateKeyInput): Promise<NewApiKey> {
  return db.write(function* (tx): Verb<NewApiKey> {
    const scopes = input.scopes ?? ["render", "read", "cancel"];
    const unknown = scopes.find((scope) => !SCOPES.includes(scope));
    if (unknown !== undefined || scopes.length === 0) {
      throw new VerbError("invalid_input", `Scopes are some of ${SCOPES.join(", ")}.`, { field: "scopes" });
    }
    if (!/^[\w.@-]{1,128}$/.test(input.tenant)) {
      const message = "A tenant has 1 to 128 of the characters A-Z a-z 0-9 _ . @ -.";
      throw new VerbError("invalid_input", message, { field: "tenant" });
    }
    const { token, prefix, hash } = newToken();
    const row = {
      id: newId("key", tx.now),
      tenant: input.tenant,
      name: input.name,
      prefix,
      hash,
      scopes,
      limits: input.limits ?? {},
      createdAt: tx.now,
      expiresAt: input.expiresAt ?? null,
      revokedAt: null,
      lastUsedAt: null,
      rotatedFrom: null,
    };
    yield* run(tx.db.insert(tx.t.apiKeys).values(row));
    return { key: toApiKey(row), token };
  });
}

/**
 * Makes a key with the same rights in place of another one, which goes on working for `graceMs`.
 *
 * @throws VerbError `not_found` when there is no such working key
 */
export function rotateKey(db: Database, id: string, graceMs: number): Promise<NewApiKey> {
  return db.write(function* (tx): Verb<NewApiKey> {
    const { apiKeys } = tx.t;
    const mine = and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt));
    const [old] = yield* rows(forUpdate(tx, tx.db.select().from(apiKeys).where(mine).$dynamic()));
    if (!old || (old.expiresAt !== null && old.expiresAt <= tx.now)) {
      throw new VerbError("not_found", "There is no such key, or it no longer works.");
    }
    const { token, prefix, hash } = newToken();
    const row = {
      ...old,
      id: newId("key", tx.now),
      prefix,
      hash,
      createdAt: tx.now,
      lastUsedAt: null,
      rotatedFrom: id,
    };
    yield* run(tx.db.insert(apiKeys).values(row));
    const end = Math.min(old.expiresAt ?? Number.POSITIVE_INFINITY, tx.now + graceMs);
    yield* run(tx.db.update(apiKeys).set({ expiresAt: end }).where(eq(apiKeys.id, id)));
    return { key: toApiKey(row), token };
  });
}

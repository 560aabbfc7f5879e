import { eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { rows, type Verb } from "../verb.ts";
import { type ApiKey, toApiKey } from "./key.ts";
import { forgetVerifiedKeys } from "./verify.ts";

/**
 * Ends a key for good. Revoking it again changes nothing.
 *
 * @throws VerbError `not_found`
 */
export async function revokeKey(db: Database, id: string): Promise<ApiKey> {
  const revoked = await db.write(function* (tx): Verb<ApiKey> {
    const { apiKeys } = tx.t;
    const revokedAt = sql`coalesce(${apiKeys.revokedAt}, ${tx.now})`;
    const [row] = yield* rows(tx.db.update(apiKeys).set({ revokedAt }).where(eq(apiKeys.id, id)).returning());
    if (!row) throw new VerbError("not_found", "There is no such key.");
    return toApiKey(row);
  });
  forgetVerifiedKeys(db);
  return revoked;
}

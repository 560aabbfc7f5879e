import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { rows, type Verb } from "../verb.ts";
import { settleAssets } from "./assets.ts";

/**
 * Removes a character. Files that no other one uses are released: they stay for renders that still name them.
 * @throws VerbError `not_found`, also for a character of another tenant
 */
export function deleteCharacter(db: Database, tenant: string, name: string): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { characters } = tx.t;
    const mine = and(eq(characters.tenant, tenant), eq(characters.name, name));
    const gone = yield* rows(tx.db.delete(characters).where(mine).returning({ name: characters.name }));
    if (gone.length === 0) throw new VerbError("not_found", "There is no such character.");
    yield* settleAssets(tx, tenant);
    tx.wake({ type: "characters", tenant });
  });
}

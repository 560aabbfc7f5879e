import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { rows, type Verb } from "../verb.ts";
import type { CharacterRecord } from "./character.ts";

/** @throws VerbError `not_found`, also for a character of another tenant */
export function getCharacter(db: Database, tenant: string, name: string): Promise<CharacterRecord> {
  return db.read(function* (tx): Verb<CharacterRecord> {
    const { characters } = tx.t;
    const mine = and(eq(characters.tenant, tenant), eq(characters.name, name));
    const [found] = yield* rows<CharacterRecord>(tx.db.select().from(characters).where(mine));
    if (!found) throw new VerbError("not_found", "There is no such character.");
    return found;
  });
}

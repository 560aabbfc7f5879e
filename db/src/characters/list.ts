import { asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows } from "../verb.ts";
import type { CharacterRecord } from "./character.ts";

/** A tenant's characters by name. */
export function listCharacters(db: Database, tenant: string): Promise<CharacterRecord[]> {
  return db.read((tx) => {
    const { characters } = tx.t;
    const mine = eq(characters.tenant, tenant);
    return rows<CharacterRecord>(tx.db.select().from(characters).where(mine).orderBy(asc(characters.name)));
  });
}

import { and, asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import type { EventData } from "../schema/values.ts";
import { rows, run, type Verb } from "../verb.ts";

/** A character that a tenant has added to those of the pack; `data` in the form of `pack.json`. */
export interface CharacterRecord {
  tenant: string;
  name: string;
  data: EventData;
  createdAt: number;
  updatedAt: number;
}

/** Adds a character, or changes the one of that name. */
export function putCharacter(db: Database, tenant: string, name: string, data: EventData): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { characters } = tx.t;
    const insert = tx.db
      .insert(characters)
      .values({ tenant, name, data, createdAt: tx.now, updatedAt: tx.now });
    const target = [characters.tenant, characters.name];
    yield* run(insert.onConflictDoUpdate({ target, set: { data, updatedAt: tx.now } }));
  });
}

export function listCharacters(db: Database, tenant: string): Promise<CharacterRecord[]> {
  return db.read((tx) => {
    const { characters } = tx.t;
    const mine = eq(characters.tenant, tenant);
    return rows<CharacterRecord>(tx.db.select().from(characters).where(mine).orderBy(asc(characters.name)));
  });
}

/** @throws VerbError `not_found` */
export function deleteCharacter(db: Database, tenant: string, name: string): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { characters } = tx.t;
    const mine = and(eq(characters.tenant, tenant), eq(characters.name, name));
    const gone = yield* rows(tx.db.delete(characters).where(mine).returning({ name: characters.name }));
    if (gone.length === 0) throw new VerbError("not_found", "There is no such character.");
  });
}

import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";
import { settleAssets } from "./assets.ts";
import type { CharacterRecord } from "./character.ts";

/** Most characters of one tenant. */
export const MAX_CHARACTERS = 200;

export type NewCharacter = Pick<CharacterRecord, "name" | "data" | "loraSha256" | "voiceSha256">;

/**
 * Adds a character, or changes the one of that name. Its files have been claimed and stored before.
 * @returns the character, and whether it is new
 * @throws VerbError `too_many_characters`, `invalid_input` when one of its files was never claimed
 */
export function putCharacter(
  db: Database,
  tenant: string,
  character: NewCharacter,
): Promise<{ character: CharacterRecord; created: boolean }> {
  return db.write(function* (tx): Verb<{ character: CharacterRecord; created: boolean }> {
    const { characters } = tx.t;
    const created = yield* isNew(tx, tenant, character.name);
    yield* checkFiles(tx, tenant, character);
    const { name, data, loraSha256, voiceSha256 } = character;
    const set = { data, loraSha256, voiceSha256, updatedAt: tx.now };
    const target = [characters.tenant, characters.name];
    const insert = tx.db.insert(characters).values({ ...set, tenant, name, createdAt: tx.now });
    const [kept] = yield* rows<CharacterRecord>(
      insert.onConflictDoUpdate({ target, set }).returning() as PromiseLike<CharacterRecord[]>,
    );
    if (!kept) throw new Error("the character was not kept");
    yield* settleAssets(tx, tenant);
    tx.wake({ type: "characters", tenant });
    return { character: kept, created };
  });
}

/** Whether the name is not taken yet. @throws VerbError when there is no room for one more */
function* isNew(tx: Tx, tenant: string, name: string): Verb<boolean> {
  const { characters } = tx.t;
  const all = tx.db.select({ name: characters.name }).from(characters).where(eq(characters.tenant, tenant));
  const names = (yield* rows(all)).map((one) => one.name);
  if (names.includes(name)) return false;
  if (names.length >= MAX_CHARACTERS)
    throw new VerbError("too_many_characters", `There are ${MAX_CHARACTERS} characters already.`);
  return true;
}

function* checkFiles(tx: Tx, tenant: string, { loraSha256, voiceSha256 }: NewCharacter): Verb<void> {
  const { assets } = tx.t;
  for (const sha256 of [loraSha256, voiceSha256]) {
    if (sha256 === null) continue;
    const mine = and(eq(assets.tenant, tenant), eq(assets.sha256, sha256));
    const found = yield* rows(tx.db.select({ sha256: assets.sha256 }).from(assets).where(mine));
    if (found.length === 0) throw new VerbError("invalid_input", `There is no file ${sha256}.`);
    // Locks the row against a sweep that runs at this moment.
    yield* run(tx.db.update(assets).set({ releasedAt: null }).where(mine));
  }
}

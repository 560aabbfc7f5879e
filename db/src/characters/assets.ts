import { and, eq, exists, inArray, isNull, lt, notExists, notInArray, or, sql, sum } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";

/** A file that characters of a tenant use, named by its content. */
export interface AssetRecord {
  tenant: string;
  sha256: string;
  kind: string;
  bytes: number;
  storageKey: string;
  createdAt: number;
  /** Since when no character uses it; null while one does. */
  releasedAt: number | null;
}

export type NewAsset = Pick<AssetRecord, "sha256" | "kind" | "bytes" | "storageKey">;

/**
 * Notes files down before they are stored, so that none lies in the store unknown. They count as released until a
 * character uses them; one that is claimed again is not swept for as long as a fresh one.
 */
export function claimAssets(db: Database, tenant: string, assets: readonly NewAsset[]): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    for (const asset of assets) {
      const table = tx.t.assets;
      const fresh = { ...asset, tenant, createdAt: tx.now, releasedAt: tx.now };
      const renewed = sql`case when ${table.releasedAt} is null then null else cast(${tx.now} as bigint) end`;
      const target = [table.tenant, table.sha256];
      yield* run(
        tx.db
          .insert(table)
          .values(fresh)
          .onConflictDoUpdate({ target, set: { releasedAt: renewed } }),
      );
    }
  });
}

/** The tenant's files among the given hashes; those of others are not told of. */
export function ownedAssets(db: Database, tenant: string, hashes: readonly string[]): Promise<AssetRecord[]> {
  return db.read((tx) => {
    const { assets } = tx.t;
    const mine = and(eq(assets.tenant, tenant), inArray(assets.sha256, [...hashes]));
    return rows<AssetRecord>(tx.db.select().from(assets).where(mine));
  });
}

/** Bytes of a tenant's files beside those of the given hashes. */
export function assetBytes(db: Database, tenant: string, except: readonly string[]): Promise<number> {
  return db.read(function* (tx): Verb<number> {
    const { assets } = tx.t;
    const others = and(
      eq(assets.tenant, tenant),
      except.length > 0 ? notInArray(assets.sha256, [...except]) : undefined,
    );
    const found = yield* rows(
      tx.db
        .select({ bytes: sum(assets.bytes) })
        .from(assets)
        .where(others),
    );
    return Number(found[0]?.bytes ?? 0);
  });
}

/** Forgets files that no character has used since a time; the caller deletes them from the store. */
export function takeReleasedAssets(db: Database, releasedBefore: number): Promise<AssetRecord[]> {
  return db.write((tx) => {
    const { assets } = tx.t;
    return rows<AssetRecord>(
      tx.db.delete(assets).where(lt(assets.releasedAt, releasedBefore)).returning() as PromiseLike<
        AssetRecord[]
      >,
    );
  });
}

/** Brings `releasedAt` of a tenant's files in line with the characters that there are. */
export function* settleAssets(tx: Tx, tenant: string): Verb<void> {
  const { assets, characters } = tx.t;
  const users = tx.db
    .select({ one: sql`1` })
    .from(characters)
    .where(
      and(
        eq(characters.tenant, assets.tenant),
        or(eq(characters.loraSha256, assets.sha256), eq(characters.voiceSha256, assets.sha256)),
      ),
    );
  const mine = eq(assets.tenant, tenant);
  yield* run(
    tx.db
      .update(assets)
      .set({ releasedAt: null })
      .where(and(mine, exists(users))),
  );
  yield* run(
    tx.db
      .update(assets)
      .set({ releasedAt: tx.now })
      .where(and(mine, isNull(assets.releasedAt), notExists(users))),
  );
}

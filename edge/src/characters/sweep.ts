import { type Database, takeReleasedAssets } from "@cartoon/db";
import type { Store } from "../store/store.ts";

/**
 * Deletes files that no character has used for so long that no render can name them any more.
 * @returns how many
 */
export async function sweepAssets(db: Database, store: Store, keepSeconds: number): Promise<number> {
  const released = await takeReleasedAssets(db, db.now() - keepSeconds * 1000);
  for (const { storageKey } of released) await store.deletePrefix(storageKey);
  return released.length;
}

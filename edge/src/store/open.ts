import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type EdgeConfig, newUrlSecret } from "../env.ts";
import { FolderStore } from "./folder.ts";
import { S3Store } from "./s3.ts";
import type { Store } from "./store.ts";

/** The secret of this data folder: from the configuration, or made at the first start and kept there. */
export async function loadSecret(config: EdgeConfig): Promise<string> {
  if (config.urlSecret !== undefined) return config.urlSecret;
  const file = join(config.dataDir, "secret");
  await mkdir(config.dataDir, { recursive: true });
  const known = await readFile(file, "utf8").catch(() => undefined);
  if (known !== undefined) return known.trim();
  // Of two edges that start at once one gives the name to its file, whole, and the other reads it.
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, newUrlSecret(), { mode: 0o600 });
  await link(own, file).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  });
  await rm(own);
  return (await readFile(file, "utf8")).trim();
}

/** The store that the configuration names. */
export function openStore(config: EdgeConfig, secret: string, internalOrigin: () => string): Store {
  if (config.store.kind === "s3") return new S3Store(config.store.s3);
  return new FolderStore({ folder: join(config.dataDir, "store"), secret, internalOrigin });
}

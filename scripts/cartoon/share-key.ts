import { join } from "node:path";
import { createKey, listKeys, openDatabase } from "@cartoon/db";
import { parseEnv } from "@cartoon/edge/env";
import { loadSecret } from "@cartoon/edge/store/open";

const DAY_MS = 86_400_000;

/**
 * What `--share` says about the key that others need: those that exist, or a new one for a day where there is none.
 * The server is never open beyond this machine, and no tunnel is dug.
 */
export async function shareKey(dataDir: string): Promise<string[]> {
  const config = parseEnv({ ...process.env, CARTOON_DATA_DIR: dataDir, HOST: "0.0.0.0" });
  const secretKey = await loadSecret(config);
  const url = config.databaseUrl ?? `sqlite:${join(config.dataDir, "cartoon.db")}`;
  const db = await openDatabase(url, { secretKey });
  try {
    const now = Date.now();
    const good = (await listKeys(db)).filter((key) => !key.revokedAt && (key.expiresAt ?? now + 1) > now);
    const reach =
      "share        this network only, in plain HTTP; a proxy with TLS belongs before it elsewhere";
    if (good.length > 0)
      return [reach, `             with one of ${good.length} API keys (cartoon keys list)`];
    const { token } = await createKey(db, {
      tenant: "default",
      name: "share",
      scopes: ["render", "read", "cancel"],
      expiresAt: now + DAY_MS,
    });
    return [reach, `             with this API key, good for a day: ${token}`];
  } finally {
    await db.close();
  }
}

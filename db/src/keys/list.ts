import { asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, type Verb } from "../verb.ts";
import { type ApiKey, toApiKey } from "./key.ts";

/** All keys, oldest first, or one tenant's. */
export function listKeys(db: Database, tenant?: string): Promise<ApiKey[]> {
  return db.read(function* (tx): Verb<ApiKey[]> {
    const { apiKeys } = tx.t;
    const whose = tenant === undefined ? undefined : eq(apiKeys.tenant, tenant);
    const query = tx.db.select().from(apiKeys).where(whose).orderBy(asc(apiKeys.createdAt), asc(apiKeys.id));
    return (yield* rows(query)).map(toApiKey);
  });
}

import type { ApiKeyLimits, Scope } from "../schema/values.ts";
import type { Schema } from "../verb.ts";

/** A key without its secret, which nobody can read back. */
export interface ApiKey {
  id: string;
  tenant: string;
  name: string;
  /** The visible start of the token, to tell keys apart. */
  prefix: string;
  scopes: Scope[];
  limits: ApiKeyLimits;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
  rotatedFrom: string | null;
}

/** A key just made, with the token that is shown this once. */
export interface NewApiKey {
  key: ApiKey;
  token: string;
}

export function toApiKey({ hash, ...row }: Schema["apiKeys"]["$inferSelect"]): ApiKey {
  return { ...row, prefix: `ck_${row.prefix}` };
}

export const SCOPES = ["render", "read", "cancel", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Who makes a request. */
export interface Principal {
  tenant: string;
  keyId: string | null;
  scopes: readonly Scope[];
  limits: { requestsPerMinute?: number; queuedJobs?: number; deviceSecondsPerDay?: number };
}

/** Whoever asks in open mode, which is there on loopback only. */
export const OPEN_PRINCIPAL: Principal = { tenant: "local", keyId: null, scopes: SCOPES, limits: {} };

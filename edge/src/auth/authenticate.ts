import { type Database, verifyKey } from "@cartoon/db";
import { createMiddleware } from "hono/factory";
import type { EdgeConfig } from "../env.ts";
import type { AppEnv } from "../hono.ts";
import { OPEN_PRINCIPAL, type Principal } from "./principal.ts";

const MAX_TOKEN_LENGTH = 256;

/** The key of a request: `Authorization: Bearer …`, `Authorization: Key …`, the bare key, or `x-api-key`. */
export function tokenOf(authorization: string | undefined, apiKey: string | undefined): string | undefined {
  const given = authorization ?? apiKey;
  if (given === undefined || given.length > MAX_TOKEN_LENGTH) return undefined;
  const token = given.trim().replace(/^(bearer|key|token)\s+/i, "");
  return token === "" ? undefined : token;
}

/** Who a token stands for, or undefined when it is unknown, expired or revoked. */
export async function principalOfToken(
  db: Database,
  token: string | undefined,
): Promise<Principal | undefined> {
  if (token === undefined) return undefined;
  const key = await verifyKey(db, token);
  return key ? { tenant: key.tenant, keyId: key.id, scopes: key.scopes, limits: key.limits } : undefined;
}

/** Works out who asks. A wrong key is refused by the routes that need one, not here: `/health` stays open. */
export const authenticate = (config: EdgeConfig, db: Database) =>
  createMiddleware<AppEnv>(async (c, next) => {
    if (config.auth === "open") c.set("principal", OPEN_PRINCIPAL);
    else {
      const token = tokenOf(c.req.header("authorization"), c.req.header("x-api-key"));
      c.set("principal", await principalOfToken(db, token));
    }
    await next();
  });

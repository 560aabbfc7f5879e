import { type Database, takeRate } from "@cartoon/db";
import { createMiddleware } from "hono/factory";
import type { Principal } from "../auth/principal.ts";
import type { EdgeConfig } from "../env.ts";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const WINDOW_MS = 60_000;
const FREE = /^\/(health|livez|readyz|metrics|docs|openapi\.json|assets)(\/|$)/;
/** Tries with a wrong key from one address in a minute: guessing a key is hopeless anyway, but costs us reads. */
const ANONYMOUS_LIMIT = 120;

/**
 * Takes one of the requests that a key, or an address without a key, may make in a minute; shared between edges.
 * @returns the headers for the answer
 * @throws ApiError `rate_limited`
 */
export async function checkRate(
  config: EdgeConfig,
  db: Database,
  principal: Principal | undefined,
  who: string,
): Promise<Record<string, string>> {
  const limit = principal ? (principal.limits.requestsPerMinute ?? config.rateLimit) : ANONYMOUS_LIMIT;
  if (limit === 0) return {};
  const rate = await takeRate(db, { bucket: `requests:${who}`, limit, windowMs: WINDOW_MS });
  const reset = Math.max(1, Math.ceil(rate.resetMs / 1000));
  const headers = {
    "ratelimit-policy": `"requests";q=${limit};w=${WINDOW_MS / 1000}`,
    ratelimit: `"requests";r=${Math.max(0, rate.remaining)};t=${reset}`,
  };
  if (!rate.allowed)
    throw new ApiError("rate_limited", `no more than ${limit} requests a minute; try again in ${reset} s`, {
      headers: { ...headers, "retry-after": String(reset) },
    });
  return headers;
}

/** Limits requests; answers carry `RateLimit` and `RateLimit-Policy`, refusals `Retry-After`. */
export const rateLimit = (config: EdgeConfig, db: Database) =>
  createMiddleware<AppEnv>(async (c, next) => {
    if (FREE.test(c.req.path) || c.req.path === "/") return next();
    const principal = c.get("principal");
    const who = principal?.keyId ?? c.env?.remoteAddress ?? "unknown";
    const headers = await checkRate(config, db, principal, who);
    await next();
    // Another limit may have said something already: both are lists.
    for (const [name, value] of Object.entries(headers)) c.res.headers.append(name, value);
  });

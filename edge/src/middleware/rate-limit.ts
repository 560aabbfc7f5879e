import { type Database, takeRate } from "@cartoon/db";
import { createMiddleware } from "hono/factory";
import type { EdgeConfig } from "../env.ts";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const WINDOW_MS = 60_000;
const FREE = /^\/(health|livez|readyz|metrics|docs|openapi\.json|assets)(\/|$)/;
/** Tries with a wrong key from one address in a minute: guessing a key is hopeless anyway, but costs us reads. */
const ANONYMOUS_LIMIT = 120;

/**
 * Requests a minute of one key, or of one address where there is no key; shared between edges. Answers carry
 * `RateLimit` and `RateLimit-Policy`, refusals `Retry-After`.
 */
export const rateLimit = (config: EdgeConfig, db: Database) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const principal = c.get("principal");
    const anonymous = principal === undefined;
    const limit = anonymous ? ANONYMOUS_LIMIT : (principal.limits.requestsPerMinute ?? config.rateLimit);
    if (limit === 0 || FREE.test(c.req.path) || c.req.path === "/") return next();
    const who = principal?.keyId ?? c.env?.remoteAddress ?? "unknown";
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
    await next();
    for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
  });

import { createMiddleware } from "hono/factory";
import type { EdgeConfig } from "../env.ts";
import type { AppEnv } from "../hono.ts";

// Results are shown from wherever the stores are; a bucket of a development machine is not under https.
const contentSecurityPolicy = (stores: readonly string[]) =>
  [
    "default-src 'self'",
    ["img-src 'self' data: blob: https:", ...stores].join(" "),
    ["media-src 'self' blob: https:", ...stores].join(" "),
    "style-src 'self' 'unsafe-inline'",
    "script-src 'self'",
    ["connect-src 'self' https:", ...stores].join(" "),
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");

/** Origins of the buckets that clients are sent to. */
function storeOrigins({ store, destinations }: EdgeConfig): string[] {
  const endpoints = Object.values(destinations).map((one) => one.public_endpoint ?? one.endpoint);
  if (store.kind === "s3") endpoints.push(store.s3.publicEndpoint);
  return [...new Set(endpoints.map((endpoint) => new URL(endpoint).origin))];
}

/** Headers that keep browsers from guessing, framing and running what is not ours. */
export const securityHeaders = (config: EdgeConfig) => {
  const policy = contentSecurityPolicy(storeOrigins(config));
  return createMiddleware<AppEnv>(async (c, next) => {
    await next();
    const { headers } = c.res;
    headers.set("x-content-type-options", "nosniff");
    headers.set("referrer-policy", "no-referrer");
    headers.set("x-frame-options", "DENY");
    headers.set("cross-origin-opener-policy", "same-origin");
    headers.set("permissions-policy", "camera=(), microphone=(), geolocation=()");
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", policy);
    if (c.get("origin").startsWith("https:")) headers.set("strict-transport-security", "max-age=31536000");
  });
};

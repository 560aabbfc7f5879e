import { createMiddleware } from "hono/factory";
import type { Principal, Scope } from "../auth/principal.ts";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const challenge = { "www-authenticate": 'Bearer realm="cartoon"' };

/** Lets a request through when its key has the scope; `admin` includes every other. */
export const requireScope = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    checkScope(c.get("principal"), scope);
    await next();
  });

/** @throws ApiError `unauthenticated` or `forbidden` */
export function checkScope(principal: Principal | undefined, scope: Scope): Principal {
  if (!principal)
    throw new ApiError("unauthenticated", "send an API key as `Authorization: Bearer <key>`", {
      headers: challenge,
    });
  if (!principal.scopes.includes(scope) && !principal.scopes.includes("admin"))
    throw new ApiError("forbidden", `this API key lacks the scope "${scope}"`);
  return principal;
}

/** The principal behind a route that `requireScope` guards. */
export function principalOf(c: { get(key: "principal"): Principal | undefined }): Principal {
  const principal = c.get("principal");
  if (!principal) throw new ApiError("unauthenticated", "send an API key", { headers: challenge });
  return principal;
}

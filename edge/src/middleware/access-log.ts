import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../hono.ts";
import { log } from "../log.ts";

/** One line per request. The query is left out: it may hold a signature. */
export const accessLog = createMiddleware<AppEnv>(async (c, next) => {
  const start = performance.now();
  await next();
  log.debug("request", {
    method: c.req.method,
    path: c.req.path,
    status: c.res.status,
    milliseconds: Math.round((performance.now() - start) * 10) / 10,
    requestId: c.get("requestId"),
    tenant: c.get("principal")?.tenant,
  });
});

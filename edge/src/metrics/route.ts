import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { App, AppEnv } from "../hono.ts";
import { requireScope } from "../middleware/require-scope.ts";
import type { Metrics } from "./metrics.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Times every request under the pattern of its route, never its path: ids would make labels without end. */
export const measureRequests = (metrics: Metrics) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const start = performance.now();
    await next();
    // The route whose handler ran last; middleware for everything is none.
    const pattern = matchedRoutes(c)[c.req.routeIndex]?.path ?? "*";
    const route = /^\/?\*$/.test(pattern) ? "unmatched" : pattern;
    const method = METHODS.has(c.req.method) ? c.req.method : "other";
    const request = { route, method, status: c.res.status };
    metrics.requestDone(request, (performance.now() - start) / 1000);
  });

/** `/metrics`: open in open mode, which is there on loopback only; else for keys with the scope `admin`. */
export function registerMetrics(app: App, metrics: Metrics): void {
  app.get("/metrics", requireScope("admin"), async (c) => {
    const text = await metrics.registry.metrics();
    return c.body(text, 200, { "content-type": metrics.registry.contentType, "cache-control": "no-store" });
  });
}

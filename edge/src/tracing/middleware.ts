import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { AppEnv } from "../hono.ts";
import { childOf, parseTraceparent, withSpan } from "./context.ts";
import type { Tracer } from "./tracer.ts";

/** A span for each request, below the caller's own where it sends `traceparent`. */
export const traceRequests = (tracer: Tracer) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const parent = parseTraceparent(c.req.header("traceparent"));
    const context = childOf(parent);
    const startMs = Date.now();
    await withSpan(context, next, c.get("requestId"));
    const route = matchedRoutes(c)[c.req.routeIndex]?.path ?? c.req.path;
    tracer.record({
      name: `${c.req.method} ${route}`,
      kind: "server",
      context,
      parent,
      startMs,
      endMs: Date.now(),
      attributes: {
        "http.request.method": c.req.method,
        "http.route": route,
        "http.response.status_code": c.res.status,
        "cartoon.request_id": c.get("requestId"),
      },
      ...(c.res.status >= 500 ? { error: `status ${c.res.status}` } : {}),
    });
  });

import type { HonoRequest } from "hono";
import { cors } from "hono/cors";
import { authenticate } from "./auth/authenticate.ts";
import { isCharacterUpload, isForm } from "./characters/upload.ts";
import { DIALECTS } from "./dialects/index.ts";
import { problemResponse } from "./errors/problem.ts";
import { ApiError } from "./errors/table.ts";
import { registerForm } from "./form/routes.ts";
import { type App, createRouter } from "./hono.ts";
import { measureRequests, registerMetrics } from "./metrics/route.ts";
import { accessLog } from "./middleware/access-log.ts";
import { bodyLimit } from "./middleware/body-limit.ts";
import { publicOrigin } from "./middleware/origin.ts";
import { rateLimit } from "./middleware/rate-limit.ts";
import { requestId } from "./middleware/request-id.ts";
import { securityHeaders } from "./middleware/security-headers.ts";
import { registerNodes } from "./nodes/routes.ts";
import { registerCharacters } from "./routes/characters.ts";
import { registerDocs } from "./routes/docs.ts";
import { registerHealth } from "./routes/health.ts";
import { registerStore } from "./routes/results.ts";
import type { Services } from "./services.ts";
import { traceRequests } from "./tracing/middleware.ts";

const BODY_TIMEOUT_MS = 30_000;
/** Routes that take files in forms, and keep them to a limit of their own. */
const UPLOADS = new Set(["/gradio_api/upload", "/v1/videos"]);
const isUpload = (request: HonoRequest) =>
  isCharacterUpload(request) || (UPLOADS.has(request.path) && isForm(request.header("content-type")));
const EXPOSED = [
  "etag",
  "location",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "x-request-id",
  "x-step",
];

/** The HTTP application: middleware, then one line per group of routes. No side effects. */
export function createApp(services: Services): App {
  const { config } = services;
  const app = createRouter();
  app.onError((error, c) => problemResponse(c, error));
  app.notFound((c) => problemResponse(c, new ApiError("not_found", `there is nothing at ${c.req.path}`)));

  app.use(requestId);
  app.use(traceRequests(services.tracer));
  app.use(publicOrigin(config.publicUrl));
  app.use(accessLog);
  app.use(measureRequests(services.metrics));
  app.use(securityHeaders(config));
  app.use(cors({ origin: config.corsOrigins, exposeHeaders: EXPOSED, maxAge: 86_400 }));
  // Uploads have their own limit and are streamed, under a signed URL instead of a key.
  registerStore(app, services.store, config.maxUploadBytes);
  // Files of characters have limits of their own, and are read once it is known whose they are.
  const limitBody = bodyLimit({ maxBytes: config.maxBodyBytes, timeoutMs: BODY_TIMEOUT_MS });
  app.use((c, next) => (isUpload(c.req) ? next() : limitBody(c, next)));
  app.use(authenticate(config, services.db));
  app.use(rateLimit(config, services.db));

  registerHealth(app, services);
  registerMetrics(app, services.metrics);
  registerNodes(app, services);
  registerCharacters(app, services);
  registerForm(app, services);
  for (const register of DIALECTS) register(app, services);
  registerDocs(app);
  return app;
}

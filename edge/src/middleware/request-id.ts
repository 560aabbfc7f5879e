import { randomUUID } from "node:crypto";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../hono.ts";

const ACCEPTED = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives each request an id, the caller's own where it is plain text, and sends it back. */
export const requestId = createMiddleware<AppEnv>(async (c, next) => {
  const given = c.req.header("x-request-id");
  const id = given !== undefined && ACCEPTED.test(given) ? given : `req_${randomUUID().replaceAll("-", "")}`;
  c.set("requestId", id);
  await next();
  c.header("x-request-id", id);
});

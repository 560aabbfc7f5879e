import { createMiddleware } from "hono/factory";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const JSON_TYPE = /^application\/([a-z0-9.+-]+\+)?json(\s*;|$)/i;

/** For bodies that may be left out: clients that name a type and then send nothing mean that they send nothing. */
export const emptyIsNone = createMiddleware<AppEnv>(async (c, next) => {
  const { raw } = c.req;
  if (raw.body === null || raw.headers.get("content-length") === "0") {
    const headers = new Headers(raw.headers);
    headers.delete("content-type");
    c.req.raw = new Request(raw.url, { method: raw.method, headers, signal: raw.signal });
  }
  await next();
});

/** Refuses a body that is not JSON; without it a body of another type would pass as an empty one. */
export const jsonBody = createMiddleware<AppEnv>(async (c, next) => {
  const type = c.req.header("content-type") ?? "";
  if (!JSON_TYPE.test(type))
    throw new ApiError(
      "unsupported_media_type",
      `the body must be application/json, not ${type || "untyped"}`,
    );
  await next();
});

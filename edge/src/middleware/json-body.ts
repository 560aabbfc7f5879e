import { createMiddleware } from "hono/factory";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const JSON_TYPE = /^application\/([a-z0-9.+-]+\+)?json(\s*;|$)/i;

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

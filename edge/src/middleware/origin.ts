import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../hono.ts";

/** Works out the origin for links: the configured public URL, else the address that this request came to. */
export const publicOrigin = (publicUrl: string | undefined) =>
  createMiddleware<AppEnv>(async (c, next) => {
    c.set("origin", publicUrl ?? new URL(c.req.url).origin);
    await next();
  });

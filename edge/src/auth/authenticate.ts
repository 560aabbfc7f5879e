import type { Database } from "@cartoon/db";
import { createMiddleware } from "hono/factory";
import type { EdgeConfig } from "../env.ts";
import type { AppEnv } from "../hono.ts";
import { OPEN_PRINCIPAL } from "./principal.ts";

/** Works out who asks. A wrong key is refused by the routes that need one, not here: `/health` stays open. */
export const authenticate = (config: EdgeConfig, _db: Database) =>
  createMiddleware<AppEnv>(async (c, next) => {
    c.set("principal", config.auth === "open" ? OPEN_PRINCIPAL : undefined);
    await next();
  });

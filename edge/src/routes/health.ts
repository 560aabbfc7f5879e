import { listJobs } from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import { type App, json } from "../hono.ts";
import type { Services } from "../services.ts";

const VERSION = "6.0.0";
const tags = ["Operations"];

const Health = z.object({
  status: z.enum(["ok", "degraded", "unavailable"]),
  version: z.string(),
  database: z.string(),
  store: z.string(),
  nodes: z.array(z.record(z.string(), z.unknown())),
  running: z.int(),
});

const health = createRoute({
  method: "get",
  path: "/health",
  summary: "State of the edge, its database, its store and its nodes",
  tags,
  responses: { 200: json(Health, "Usable"), 503: json(Health, "Not usable") },
});

const probe = async (check: () => Promise<unknown>) => {
  try {
    await check();
    return "ok";
  } catch {
    return "unavailable";
  }
};

/** `/health` for people, `/livez` and `/readyz` for orchestrators. */
export function registerHealth(app: App, services: Services): void {
  const { db, store, nodes, dispatcher, config } = services;
  const checkDatabase = () => listJobs(db, { tenant: "health" }, { limit: 1 });

  app.openapi(health, async (c) => {
    const [database, storeState] = await Promise.all([probe(checkDatabase), probe(() => store.check())]);
    const serving = nodes.nodes.some((node) => node.isServing);
    const usable = database === "ok" && storeState === "ok";
    const status = !usable ? "unavailable" : serving ? "ok" : "degraded";
    // Addresses and devices are the operator's business; outside open mode only their states are shown.
    const shown = nodes.nodes.map((node) =>
      config.auth === "open" ? node.describe() : { health: node.describe().health },
    );
    const body = {
      status,
      version: VERSION,
      database,
      store: storeState,
      nodes: shown,
      running: dispatcher.running,
    } as const;
    return c.json(body, usable ? 200 : 503);
  });

  app.get("/livez", (c) => c.text("ok"));
  app.get("/readyz", async (c) => {
    if (services.stopping.aborted) return c.text("stopping", 503);
    const states = await Promise.all([probe(checkDatabase), probe(() => store.check())]);
    return states.every((state) => state === "ok") ? c.text("ok") : c.text("unavailable", 503);
  });
}

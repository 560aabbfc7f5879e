import { type Database, type QueueLoad, queueLoad } from "@cartoon/db";
import { Gauge, type Registry } from "prom-client";
import { addUsageMetrics, type MeasuredNode } from "./usage.ts";

/** Where the gauges look at the moment of a scrape. */
export interface StateSources {
  db: Database;
  nodes: {
    readonly nodes: readonly (MeasuredNode & { health: string })[];
    readonly freePermits: number;
    readonly permits: number;
  };
  dispatcher: { readonly running: number };
}

const HEALTHS = ["starting", "ready", "busy", "setup_failed", "defunct", "draining", "unspecified"];

/** How long one look at the database serves: several gauges of one scrape. */
const FRESH_MS = 100;

/** The queue's load; undefined while the database does not answer, so that a scrape does not fail with it. */
function loadOf(db: Database): () => Promise<QueueLoad | undefined> {
  let latest: { at: number; load: Promise<QueueLoad | undefined> } | undefined;
  return () => {
    const now = performance.now();
    if (!latest || now - latest.at > FRESH_MS)
      latest = { at: now, load: queueLoad(db).catch(() => undefined) };
    return latest.load;
  };
}

/** Gauges of the queue and of the nodes, read when they are asked for. */
export function addStateMetrics(registry: Registry, { db, nodes, dispatcher }: StateSources): void {
  const registers = [registry];
  const load = loadOf(db);
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  const { NaN: unknown } = Number;
  gauge("cartoon_database_up", "1 when the database answers", async () => ((await load()) ? 1 : 0));
  gauge("cartoon_jobs_pending", "Jobs that wait for a node", async () => (await load())?.queued ?? unknown);
  gauge("cartoon_jobs_running", "Jobs on all nodes", async () => (await load())?.running ?? unknown);
  gauge(
    "cartoon_queue_oldest_seconds",
    "How long the oldest waiting job has waited",
    async () => ((await load())?.oldestWaitMs ?? unknown) / 1000,
  );
  new Gauge({
    name: "cartoon_nodes",
    help: "Nodes by health, as this edge sees them; unspecified are those that it cannot reach",
    labelNames: ["health"],
    registers,
    collect() {
      const healths = nodes.nodes.map((node) => node.health.replace("NODE_HEALTH_", "").toLowerCase());
      for (const health of HEALTHS) this.set({ health }, healths.filter((one) => one === health).length);
    },
  });
  gauge("cartoon_permits_free", "Jobs that the nodes could take at once", () => nodes.freePermits);
  gauge("cartoon_permits", "Jobs that the serving nodes run at most", () => nodes.permits);
  gauge("cartoon_attempts_running", "Attempts that this edge follows", () => dispatcher.running);
  addUsageMetrics(registry, () => nodes.nodes);
}

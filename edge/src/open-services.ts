import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "@cartoon/db";
import { CharacterCatalog } from "./characters/catalog.ts";
import { nodeChannel } from "./dispatcher/credentials.ts";
import { Dispatcher } from "./dispatcher/dispatcher.ts";
import { NodeDirectory } from "./dispatcher/node-directory.ts";
import type { EdgeConfig } from "./env.ts";
import { Metrics } from "./metrics/metrics.ts";
import { NodeAddresses } from "./nodes/addresses.ts";
import { PackCatalog } from "./renders/catalog.ts";
import { JobSignals } from "./renders/live.ts";
import type { Services } from "./services.ts";
import { CallerBuckets } from "./store/caller-bucket.ts";
import { Destinations } from "./store/destinations.ts";
import { loadSecret, openStore } from "./store/open.ts";
import { Tracer } from "./tracing/tracer.ts";

export interface OpenedServices {
  services: Services;
  /** Lets go of everything; the dispatcher has been drained before. */
  close: () => Promise<void>;
}

/**
 * Opens database and store, dials the nodes, and builds everything that routes work with.
 * @param internalOrigin where nodes reach this edge; known once it listens
 */
export async function openServices(
  config: EdgeConfig,
  stopping: AbortSignal,
  internalOrigin: () => string,
): Promise<OpenedServices> {
  await mkdir(config.dataDir, { recursive: true });
  const secret = await loadSecret(config);
  const url = config.databaseUrl ?? `sqlite:${join(config.dataDir, "cartoon.db")}`;
  const db = await openDatabase(url, { secretKey: secret });
  const destinations = new Destinations(config.destinations);
  const store = destinations.route(openStore(config, secret, internalOrigin));
  const callerBuckets = new CallerBuckets(db, store, config.fetchAllow);
  const nodes = new NodeDirectory({
    channel: nodeChannel(config.nodes),
    restMs: config.nodes.restSeconds * 1000,
  });
  const nodeAddresses = new NodeAddresses(config.nodes.addresses, db, nodes);
  const catalog = new PackCatalog(nodes, config.dataDir);
  const characters = new CharacterCatalog(db);
  const signals = new JobSignals(db);
  const edgeId = `edge_${randomBytes(6).toString("hex")}`;
  const metrics = new Metrics();
  const resource = { "service.name": "cartoon-edge", "service.instance.id": edgeId };
  const tracer = new Tracer(config.otlpEndpoint, resource);
  const leaseMs = config.leaseSeconds * 1000;
  const dispatcher = new Dispatcher({
    db,
    store,
    destinations,
    callerBuckets,
    nodes,
    edgeId,
    metrics,
    tracer,
    leaseMs,
  });
  const unwatch = metrics.watch(db, { nodes, dispatcher });
  const close = async () => {
    await tracer.flush();
    await nodeAddresses.close();
    signals.close();
    characters.close();
    unwatch();
    nodes.close();
    await db.close();
  };
  return {
    services: {
      config,
      db,
      store,
      nodes,
      nodeAddresses,
      secret,
      catalog,
      characters,
      signals,
      dispatcher,
      metrics,
      tracer,
      stopping,
    },
    close,
  };
}

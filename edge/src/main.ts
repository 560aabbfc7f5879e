import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "@cartoon/db";
import { createApp } from "./app.ts";
import { nodeChannel } from "./dispatcher/credentials.ts";
import { Dispatcher } from "./dispatcher/dispatcher.ts";
import { NodeDirectory } from "./dispatcher/node-directory.ts";
import { type EdgeConfig, parseEnv } from "./env.ts";
import type { Platform } from "./hono.ts";
import { configureLogging, log } from "./log.ts";
import { Metrics } from "./metrics/metrics.ts";
import { NodeAddresses } from "./nodes/addresses.ts";
import { PackCatalog } from "./renders/catalog.ts";
import { JobSignals } from "./renders/live.ts";
import { startRpc } from "./rpc/server.ts";
import type { Services } from "./services.ts";
import { Destinations } from "./store/destinations.ts";
import { loadSecret, openStore } from "./store/open.ts";
import { Sweeper } from "./store/sweeper.ts";
import { Tracer } from "./tracing/tracer.ts";
import { Deliverer } from "./webhooks/deliverer.ts";

export type Fetch = (request: Request, platform: Platform) => Response | Promise<Response>;

/** Starts the runtime's HTTP server; the entry of each runtime brings its own. */
export type Serve = (
  fetch: Fetch,
  options: { host: string; port: number },
) => Promise<{ port: number; stop: () => Promise<void> }>;

export interface Edge {
  /** Origin that the edge listens on. */
  url: string;
  /** Port of the job service, where one is configured. */
  grpcPort: number | undefined;
  config: EdgeConfig;
  /** Takes no more jobs, waits for those that run, then closes everything. */
  stop: (graceMs?: number) => Promise<void>;
}

const DRAIN_MS = 25_000;
const urlHost = (host: string) => (host.includes(":") ? `[${host}]` : host);
const reachable = (host: string) => (host === "0.0.0.0" || host === "::" ? "127.0.0.1" : urlHost(host));

/**
 * Starts an edge.
 * @throws EnvironmentError listing every problem of the environment
 */
export async function start(options: {
  env: Record<string, string | undefined>;
  serve: Serve;
}): Promise<Edge> {
  const config = parseEnv(options.env);
  await configureLogging({
    debug: config.debug,
    json: config.environment === "production",
    quiet: options.env.CARTOON_QUIET === "1",
  });
  await mkdir(config.dataDir, { recursive: true });
  const secret = await loadSecret(config);
  const db = await openDatabase(config.databaseUrl ?? `sqlite:${join(config.dataDir, "cartoon.db")}`, {
    secretKey: secret,
  });
  let internalOrigin = config.internalUrl ?? "";
  const destinations = new Destinations(config.destinations);
  const store = destinations.route(openStore(config, secret, () => internalOrigin));
  const nodes = new NodeDirectory({
    channel: nodeChannel(config.nodes),
    restMs: config.nodes.restSeconds * 1000,
  });
  const nodeAddresses = new NodeAddresses(config.nodes.addresses, db, nodes);
  const catalog = new PackCatalog(nodes, config.dataDir);
  const signals = new JobSignals(db);
  const stopping = new AbortController();
  const edgeId = `edge_${randomBytes(6).toString("hex")}`;
  const metrics = new Metrics();
  const tracer = new Tracer(config.otlpEndpoint, {
    "service.name": "cartoon-edge",
    "service.instance.id": edgeId,
  });
  const dispatcher = new Dispatcher({
    db,
    store,
    destinations,
    nodes,
    edgeId,
    metrics,
    tracer,
    leaseMs: config.leaseSeconds * 1000,
  });
  const unwatch = metrics.watch(db, { nodes, dispatcher });
  const services: Services = {
    config,
    db,
    store,
    nodes,
    nodeAddresses,
    secret,
    catalog,
    signals,
    dispatcher,
    metrics,
    tracer,
    stopping: stopping.signal,
  };
  const app = createApp(services);
  const server = await options.serve((request, platform) => app.fetch(request, platform), config);
  const url = `http://${urlHost(config.host)}:${server.port}`;
  internalOrigin ||= `http://${reachable(config.host)}:${server.port}`;
  const links = () => ({ store, origin: config.publicUrl ?? url, expiresInSeconds: config.urlTtlSeconds });
  const deliverer = new Deliverer({ db, links, allowHosts: config.fetchAllow, metrics, tracer });
  const sweeper = new Sweeper(db, store);
  const rpc = await startRpc(services, links);
  dispatcher.start();
  deliverer.start();
  log.info("edge listens", {
    url,
    environment: config.environment,
    auth: config.auth,
    store: store.kind,
    edgeId,
  });

  let stopped: Promise<void> | undefined;
  const stopOnce = async (graceMs: number) => {
    stopping.abort();
    await dispatcher.drain(graceMs);
    await Promise.all([server.stop(), rpc?.stop()]);
    await Promise.all([deliverer.close(), sweeper.close()]);
    await tracer.flush();
    await nodeAddresses.close();
    signals.close();
    unwatch();
    nodes.close();
    await db.close();
  };
  return {
    url,
    grpcPort: rpc?.port,
    config,
    stop: (graceMs = DRAIN_MS) => {
      stopped ??= stopOnce(graceMs);
      return stopped;
    },
  };
}

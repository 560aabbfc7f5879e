import { createApp } from "./app.ts";
import { type EdgeConfig, parseEnv } from "./env.ts";
import type { Platform } from "./hono.ts";
import { configureLogging, log } from "./log.ts";
import { startAttachServer } from "./nodes/attach-server.ts";
import { openServices } from "./open-services.ts";
import { startRpc } from "./rpc/server.ts";
import { Sweeper } from "./store/sweeper.ts";
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
  /** Port of that origin. */
  port: number;
  /** Port of the job service, where one is configured. */
  grpcPort: number | undefined;
  /** Port at which nodes dial in, where one is configured. */
  attachPort: number | undefined;
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
    quiet: config.quiet,
  });
  const stopping = new AbortController();
  let internalOrigin = config.internalUrl ?? "";
  const { services, close } = await openServices(config, stopping.signal, () => internalOrigin);
  const { db, store, dispatcher, metrics, tracer } = services;
  const app = createApp(services);
  const server = await options
    .serve((request, platform) => app.fetch(request, platform), config)
    .catch(async (error: unknown) => {
      await close();
      throw error;
    });
  const url = `http://${urlHost(config.host)}:${server.port}`;
  internalOrigin ||= `http://${reachable(config.host)}:${server.port}`;
  const links = () => ({ store, origin: config.publicUrl ?? url, expiresInSeconds: config.urlTtlSeconds });
  const deliverer = new Deliverer({ db, links, allowHosts: config.fetchAllow, metrics, tracer });
  const sweeper = new Sweeper(db, store, config.retentionSeconds + config.queueTtlSeconds);
  const rpc = await startRpc(services, links);
  const attach = await startAttachServer(services);
  dispatcher.start();
  deliverer.start();
  const { environment, auth } = config;
  log.info("edge listens", { url, environment, auth, store: store.kind, edgeId: dispatcher.edgeId });

  const stopOnce = async (graceMs: number) => {
    stopping.abort();
    await dispatcher.drain(graceMs);
    await Promise.all([server.stop(), rpc?.stop(), attach?.stop()]);
    await Promise.all([deliverer.close(), sweeper.close()]);
    await close();
  };
  let stopped: Promise<void> | undefined;
  return {
    url,
    port: server.port,
    grpcPort: rpc?.port,
    attachPort: attach?.port,
    config,
    stop: (graceMs = DRAIN_MS) => {
      stopped ??= stopOnce(graceMs);
      return stopped;
    },
  };
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { RUNTIME_OPTIONS } from "@cartoon/edge/entries/runtime-options";
import { z } from "zod";
import { Child } from "./child.ts";
import { packDirs } from "./pack-dirs.ts";

export interface StackOptions {
  host: string;
  /** 0 takes a free port. */
  port: number;
  dataDir: string;
  /** Addresses of nodes that run elsewhere; without any, one is started beside the edge. */
  nodes?: string[];
  /** Settings on top of the process's own. */
  env?: Record<string, string | undefined>;
  verbose?: boolean;
  /** Start again whenever a source file changes. */
  reload?: boolean;
}

/** Edge and node, running. */
export interface Stack {
  /** Origin for a client on this machine. */
  url: string;
  children: Child[];
  /** Rejects when one of the processes ends by itself. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

/** A port of the loopback interface that nobody listens on at this moment. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

/** Starts a node, and nothing else. */
export function startNode(
  listen: string,
  options: Pick<StackOptions, "dataDir" | "env" | "verbose" | "reload">,
): Child {
  const folder = join(options.dataDir, "node");
  mkdirSync(folder, { recursive: true });
  return new Child({
    name: "node",
    args: [...(options.reload ? ["--watch"] : []), "gpu-pool/src/main.ts"],
    env: {
      CARTOON_WORK_DIR: join(folder, "work"),
      CARTOON_CACHE_DIR: join(folder, "cache"),
      CARTOON_ASSET_DIR: join(folder, "assets"),
      CARTOON_CUDA_DIR: join(options.dataDir, "cuda"),
      ...process.env,
      CARTOON_PACK_DIRS: packDirs(options.dataDir),
      ...options.env,
      CARTOON_NODE_LISTEN: listen,
    },
    verbose: options.verbose,
  });
}

const local = (host: string): string => {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
};

/** Starts an edge, and a node beside it unless there are others. Returns once the edge answers. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { host, dataDir, env, verbose, reload } = options;
  const port = options.port || freePort();
  const children: Child[] = [];
  let nodes = options.nodes ?? [];
  if (nodes.length === 0) {
    nodes = [`127.0.0.1:${freePort()}`];
    children.push(startNode(nodes[0] ?? "", options));
  }
  const edge = new Child({
    name: "edge",
    args: [...(reload ? ["--watch"] : []), "edge/src/entries/bun.ts"],
    env: {
      ...RUNTIME_OPTIONS,
      ...process.env,
      CARTOON_DATA_DIR: dataDir,
      CARTOON_NODES: nodes.join(","),
      ...(verbose ? {} : { CARTOON_QUIET: "1" }),
      ...env,
      HOST: host,
      PORT: String(port),
    },
    verbose,
  });
  children.unshift(edge);
  const failed = Promise.race(children.map((child) => child.failure()));
  failed.catch(() => undefined);
  const stop = async () => {
    await Promise.all(children.map((child) => child.stop()));
  };
  const url = `http://${local(host)}:${port}`;
  try {
    await Promise.race([answering(`${url}/livez`), failed]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, children, failed, stop };
}

const Health = z.object({
  nodes: z.array(
    z.object({ health: z.string(), version: z.string().optional(), detail: z.string().optional() }),
  ),
});
const SERVING = new Set(["ready", "busy"]);
const BROKEN = new Set(["setup_failed", "defunct"]);
const LOAD_MS = 300_000;

/** Waits until a node has its models in memory. Throws when every node says that it never will. */
export async function nodeReady(url: string): Promise<void> {
  const end = Date.now() + LOAD_MS;
  while (Date.now() < end) {
    const response = await fetch(`${url}/health`);
    const { nodes } = Health.parse(await response.json());
    if (nodes.some(({ health, version }) => SERVING.has(health) && version)) return;
    if (nodes.length > 0 && nodes.every(({ health }) => BROKEN.has(health))) {
      throw new Error(`no node can work: ${nodes.map(({ health, detail }) => detail ?? health).join("; ")}`);
    }
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`no node was ready within ${LOAD_MS / 1000} s`);
}

const START_MS = 30_000;
const POLL_MS = 50;

async function answering(url: string): Promise<void> {
  const end = Date.now() + START_MS;
  while (Date.now() < end) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`${url} did not answer within ${START_MS / 1000} s`);
}

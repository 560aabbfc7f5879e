import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { RUNTIME_OPTIONS } from "@cartoon/edge/entries/runtime-options";
import { z } from "zod";
import { Child } from "./child.ts";
import { packDirs } from "./pack-dirs.ts";
import { type Relay, startRelay } from "./relay.ts";

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

/** Starts a node, and nothing else. */
export function startNode(
  listen: string,
  options: Pick<StackOptions, "dataDir" | "env" | "verbose" | "reload">,
  onListening?: (port: number) => void,
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
    onListening: ({ port }) => onListening?.(port),
  });
}

const local = (host: string): string => {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
};

/** Starts an edge, and a node beside it unless there are others. Returns once the edge answers. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const children: Child[] = [];
  let relay: Relay | undefined;
  const stop = async () => {
    await Promise.all(children.map((child) => child.stop()));
    relay?.stop();
  };
  try {
    let nodes = options.nodes ?? [];
    if (nodes.length === 0) {
      // A node that starts again takes another port, and the edge keeps the address that it was given.
      if (options.reload) relay = await startRelay();
      const node = startNode("127.0.0.1:0", options, (port) => {
        if (relay) relay.target = port;
      });
      children.push(node);
      const { port } = await node.listening();
      nodes = [`127.0.0.1:${relay?.port ?? port}`];
    }
    const edge = startEdge(nodes, options);
    children.unshift(edge);
    const failed = Promise.race(children.map((child) => child.failure()));
    failed.catch(() => undefined);
    const { port } = await Promise.race([edge.listening(), failed]);
    return { url: `http://${local(options.host)}:${port}`, children, failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startEdge(nodes: readonly string[], options: StackOptions): Child {
  const { host, port, dataDir, env, verbose, reload } = options;
  return new Child({
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
}

const Health = z.object({
  nodes: z.array(
    z.object({ health: z.string(), version: z.string().optional(), detail: z.string().optional() }),
  ),
});
const SERVING = new Set(["ready", "busy"]);
const BROKEN = new Set(["setup_failed", "defunct"]);
const LOAD_MS = 300_000;
const POLL_MS = 50;

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

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EdgeClient } from "../lib/edge-client.ts";
import { nodeReady, startStack } from "../lib/stack.ts";
import { aborted, interruption } from "./exit.ts";

/** Flags of every command that renders: at an edge that runs, or at one that is started for it. */
export const EDGE_ARGS = {
  url: { type: "string", description: "An edge that runs already; default: one is started for this render" },
  key: { type: "string", description: "API key for it; default: CARTOON_API_KEY" },
  debug: { type: "boolean", description: "Show the logs of edge and node" },
} as const;

/**
 * Does some work at an edge; one that is started for it is stopped and forgotten afterwards.
 * @throws Interrupted on Ctrl-C, and what the work throws
 */
export async function withEdge<T>(
  args: { url?: string; key?: string; debug?: boolean },
  work: (client: EdgeClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = interruption();
  const folder = args.url ? undefined : await mkdtemp(join(tmpdir(), "cartoon-render-"));
  const stack = folder
    ? await startStack({ host: "127.0.0.1", port: 0, dataDir: folder, verbose: args.debug })
    : undefined;
  try {
    const url = args.url ?? stack?.url ?? "";
    const failed = stack?.failed ?? aborted(signal);
    if (stack) await Promise.race([nodeReady(url), failed, aborted(signal)]);
    const client = new EdgeClient(url, args.key ?? process.env.CARTOON_API_KEY);
    return await Promise.race([work(client, signal), failed]);
  } finally {
    await stack?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}

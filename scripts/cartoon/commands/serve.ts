import { networkInterfaces } from "node:os";
import { defineCommand } from "citty";
import { startStack } from "../../lib/stack.ts";
import { defaultDataDir, describeEnvironment } from "../environment.ts";
import { aborted, EXIT, Interrupted, interruption } from "../exit.ts";
import { shareKey } from "../share-key.ts";

const args = {
  host: { type: "string", description: "Address to listen on", default: "127.0.0.1" },
  share: {
    type: "boolean",
    description: "Let others on this network in, with an API key; nothing goes through a third party",
  },
  node: {
    type: "boolean",
    description: "Start a node beside the edge",
    default: true,
    negativeDescription: "Use the nodes of --nodes or CARTOON_NODES alone",
  },
  nodes: { type: "string", description: "Nodes that run elsewhere, HOST:PORT separated by commas" },
  "data-dir": { type: "string", description: "Folder for database and results", default: defaultDataDir },
  reload: { type: "boolean", description: "Start again when a source file changes" },
  debug: { type: "boolean", description: "Detailed logs" },
} as const;

interface ServeArgs {
  host: string;
  port: string;
  share?: boolean;
  node: boolean;
  nodes?: string;
  "data-dir": string;
  reload?: boolean;
  debug?: boolean;
}

async function serve(args: ServeArgs, page: string): Promise<number> {
  const host = args.share ? "0.0.0.0" : args.host;
  const env = {
    HOST: host,
    PORT: args.port,
    CARTOON_DATA_DIR: args["data-dir"],
    ...(args.debug ? { CARTOON_DEBUG: "1" } : {}),
  };
  for (const line of describeEnvironment(env)) console.log(line);
  const signal = interruption();
  const stack = await startStack({
    host,
    port: Number(args.port),
    dataDir: args["data-dir"],
    nodes: outside(args),
    env,
    verbose: true,
    reload: args.reload,
  });
  console.log(`listening    ${stack.url}${page}`);
  if (host === "0.0.0.0")
    for (const address of addresses())
      console.log(`             http://${address}:${new URL(stack.url).port}${page}`);
  if (args.share) for (const line of await shareKey(args["data-dir"])) console.log(line);
  try {
    return await Promise.race([stack.failed, aborted(signal)]);
  } catch (error) {
    if (error instanceof Interrupted) return EXIT.ok;
    throw error;
  } finally {
    await stack.stop();
  }
}

/** Addresses of nodes that somebody else has started; undefined asks for one of our own. */
function outside({ node, nodes }: ServeArgs): string[] | undefined {
  const named = nodes ?? process.env.CARTOON_NODES;
  if (named) return named.split(",").map((address) => address.trim());
  if (node) return undefined;
  return [process.env.CARTOON_ATTACH_PORT ? "none" : "127.0.0.1:50051"];
}

function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
}

const port = (value: string) =>
  ({ type: "string", description: "Port to listen on", default: value }) as const;

export const web = defineCommand({
  meta: { name: "web", description: "The form, the API and a node on this machine: cartoon web --port 7860" },
  args: { ...args, port: port("7860") },
  run: ({ args }) => serve(args, "/"),
});

export const api = defineCommand({
  meta: { name: "api", description: "The API and a node on this machine: cartoon api --port 8000" },
  args: { ...args, port: port("8000") },
  run: ({ args }) => serve(args, "/docs"),
});

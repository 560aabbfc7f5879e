// A GPU node: `bun gpu-pool/src/main.ts`, configured by the environment (see env.ts).
import { parseNodeEnv } from "./env.ts";
import { Node } from "./supervisor/node.ts";
import { Registration } from "./supervisor/registration.ts";
import { serveNode } from "./supervisor/server.ts";

async function main(): Promise<void> {
  const env = parseNodeEnv(process.env);
  const node = await Node.start(env);
  const server = await serveNode(node, env);
  const host = env.CARTOON_NODE_LISTEN.slice(0, env.CARTOON_NODE_LISTEN.lastIndexOf(":"));
  const log = (message: string) => console.error(`node ${env.CARTOON_NODE_ID}: ${message}`);
  log(`listening on ${host}:${server.port}`);
  const registration = new Registration({
    edges: env.CARTOON_REGISTER_URLS,
    token: env.CARTOON_REGISTER_TOKEN ?? "",
    address: env.CARTOON_ADVERTISE ?? `${host}:${server.port}`,
    log,
  });
  let last = "";
  node.pool.subscribe(({ health, detail }) => {
    const text = `${health.slice("NODE_HEALTH_".length)}${detail && `: ${detail}`}`;
    if (text !== last) log(text);
    last = text;
  });
  let closing = false;
  const shutDown = async () => {
    if (closing) return;
    closing = true;
    await registration.leave();
    await node.close(env.CARTOON_DRAIN_SECONDS);
    await server.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void shutDown());
  process.on("SIGINT", () => void shutDown());
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

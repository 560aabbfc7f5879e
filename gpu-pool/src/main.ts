// A GPU node: `bun gpu-pool/src/main.ts`, configured by the environment (see env.ts).
import { tellParent } from "@cartoon/protos";
import { type NodeEnv, parseNodeEnv } from "./env.ts";
import { Attachments } from "./supervisor/attachments.ts";
import { dialOptions } from "./supervisor/dial-options.ts";
import { Node } from "./supervisor/node.ts";
import { Registration } from "./supervisor/registration.ts";
import { serveNode } from "./supervisor/server.ts";

/** Takes calls at an address, and tells it to the edges that want to know. */
async function listen(node: Node, env: NodeEnv, log: (message: string) => void) {
  const server = await serveNode(node, env);
  const host = env.CARTOON_NODE_LISTEN.slice(0, env.CARTOON_NODE_LISTEN.lastIndexOf(":"));
  log(`listening on ${host}:${server.port}`);
  tellParent({ port: server.port });
  const registration = new Registration({
    edges: env.CARTOON_REGISTER_URLS,
    token: env.CARTOON_REGISTER_TOKEN ?? "",
    address: env.CARTOON_ADVERTISE ?? `${host}:${server.port}`,
    log,
  });
  return { leave: () => registration.leave(), close: () => server.close() };
}

async function main(): Promise<void> {
  const env = parseNodeEnv(process.env);
  const node = await Node.start(env);
  const log = (message: string) => console.error(`node ${env.CARTOON_NODE_ID}: ${message}`);
  const server = env.CARTOON_NODE_LISTEN === "none" ? undefined : await listen(node, env, log);
  const attachments = new Attachments({
    node,
    edges: env.CARTOON_EDGES,
    dial: await dialOptions(env),
    token: env.CARTOON_REGISTER_TOKEN ?? "",
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
    await server?.leave();
    await node.close(env.CARTOON_DRAIN_SECONDS);
    await attachments.close();
    await server?.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void shutDown());
  process.on("SIGINT", () => void shutDown());
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

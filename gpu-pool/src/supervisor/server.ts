import { readFile } from "node:fs/promises";
import { channelOptions, NodeService } from "@cartoon/protos";
import type { NodeServiceHandlers } from "@cartoon/protos/gen/NodeService";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import type { NodeEnv } from "../env.ts";
import type { Node } from "./node.ts";
import { serviceError } from "./refused.ts";

export interface NodeServer {
  /** Port that the server listens on. */
  port: number;
  /** Ends every call and lets go of the port. */
  close(): Promise<void>;
}

const SERVICE = "cartoon.v1.NodeService";
const CLOSE_MS = 2_000;

/** Serves NodeService and the standard health service, with TLS or mTLS where the environment names certificates. */
export async function serveNode(node: Node, env: NodeEnv): Promise<NodeServer> {
  const server = new Server(channelOptions);
  server.addService(NodeService.service, handlers(node));
  const health = new HealthImplementation();
  const tell = () => {
    const { health: state } = node.pool.status();
    const serving = state === "NODE_HEALTH_READY" || state === "NODE_HEALTH_BUSY" ? "SERVING" : "NOT_SERVING";
    for (const service of ["", SERVICE]) health.setStatus(service, serving);
  };
  tell();
  const unsubscribe = node.pool.subscribe(tell);
  health.addToServer(server);
  const port = await listen(server, env.CARTOON_NODE_LISTEN, await credentials(env));
  return {
    port,
    close: async () => {
      unsubscribe();
      // An open Watch would keep the server from ever shutting down.
      const patience = setTimeout(() => server.forceShutdown(), CLOSE_MS);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(patience);
    },
  };
}

async function credentials(env: NodeEnv): Promise<ServerCredentials> {
  const { CARTOON_TLS_CERT: cert, CARTOON_TLS_KEY: key, CARTOON_TLS_CLIENT_CA: ca } = env;
  if (!cert || !key) return ServerCredentials.createInsecure();
  const pair = { cert_chain: await readFile(cert), private_key: await readFile(key) };
  return ServerCredentials.createSsl(ca ? await readFile(ca) : null, [pair], Boolean(ca));
}

function listen(server: Server, address: string, security: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, security, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function handlers(node: Node): NodeServiceHandlers {
  return {
    Describe: (_call, callback) => callback(null, node.describe()),
    Stop: ({ request }, callback) => callback(null, { found: node.stop(request) }),
    Watch: (call) => {
      call.write({ status: node.pool.status() });
      const unsubscribe = node.pool.subscribe((status) => call.write({ status }));
      call.on("cancelled", () => {
        unsubscribe();
        call.end();
      });
    },
    Run: (call) => {
      const gone = new AbortController();
      call.on("cancelled", () => gone.abort());
      let sequence = 0;
      const emit = (event: object) => {
        if (!gone.signal.aborted) call.write({ ...event, sequence: ++sequence });
      };
      node
        .run(call.request, emit, gone.signal)
        .then(() => call.end())
        .catch((error: unknown) => call.emit("error", serviceError(error)));
    },
  };
}

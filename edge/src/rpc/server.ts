import { readFile } from "node:fs/promises";
import { channelOptions, JobService, jobPackageDefinition } from "@cartoon/protos";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { EdgeConfig } from "../env.ts";
import type { LinkOptions } from "../renders/view.ts";
import type { Services } from "../services.ts";
import { jobServiceHandlers } from "./job-service.ts";

const SERVICE = "cartoon.v1.JobService";
const MAX_MESSAGE_BYTES = 1024 * 1024;
const SHUTDOWN_MS = 2_000;

export interface RpcServer {
  port: number;
  stop: () => Promise<void>;
}

async function credentials(grpc: NonNullable<EdgeConfig["grpc"]>): Promise<ServerCredentials> {
  if (grpc.cert === undefined || grpc.key === undefined) return ServerCredentials.createInsecure();
  const pair = { cert_chain: await readFile(grpc.cert), private_key: await readFile(grpc.key) };
  const ca = grpc.clientCa === undefined ? null : await readFile(grpc.clientCa);
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}

/** Starts the gRPC server of the edge: jobs, health and reflection. */
export async function startRpc(services: Services, links: () => LinkOptions): Promise<RpcServer | undefined> {
  const { grpc, host } = services.config;
  if (!grpc) return undefined;
  // Most edges have no gRPC server: they need no memory for these.
  const { ReflectionService } = await import("@grpc/reflection");
  const { HealthImplementation } = await import("grpc-health-check");
  const server = new Server({ ...channelOptions, "grpc.max_receive_message_length": MAX_MESSAGE_BYTES });
  server.addService(JobService.service, jobServiceHandlers(services, links));
  new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" }).addToServer(server);
  new ReflectionService(jobPackageDefinition()).addToServer(server);
  const security = await credentials(grpc);
  const address = `${host.includes(":") ? `[${host}]` : host}:${grpc.port}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, security, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const stop = async () => {
    // An open stream, such as a health watch, would hold the shutdown up for ever.
    const timer = setTimeout(() => server.forceShutdown(), SHUTDOWN_MS);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(timer);
  };
  return { port, stop };
}

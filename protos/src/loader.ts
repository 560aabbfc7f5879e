import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import * as protoLoader from "@grpc/proto-loader";
import type { ProtoGrpcType as AttachTypes } from "../gen/attach.ts";
import type { ProtoGrpcType as JobTypes } from "../gen/job.ts";
import type { ProtoGrpcType as NodeTypes } from "../gen/node.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const options: protoLoader.Options = {
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: [root],
};

const SERVICES = ["cartoon/v1/node.proto", "cartoon/v1/job.proto", "cartoon/v1/attach.proto"];
// In one go: they share their messages, and each set of them takes megabytes.
const loaded = grpc.loadPackageDefinition(protoLoader.loadSync(SERVICES, options));
const services = (loaded as unknown as NodeTypes & JobTypes & AttachTypes).cartoon.v1;

/** `cartoon.v1.NodeService`: its client constructor and, under `.service`, its definition for a server. */
export const { NodeService } = services;

/** `cartoon.v1.JobService`: its client constructor and, under `.service`, its definition for a server. */
export const { JobService } = services;

/** `cartoon.v1.AttachService`: its client constructor and, under `.service`, its definition for a server. */
export const { AttachService } = services;

/** The package definition of the job service alone, for server reflection. */
export const jobPackageDefinition = (): protoLoader.PackageDefinition =>
  protoLoader.loadSync("cartoon/v1/job.proto", options);

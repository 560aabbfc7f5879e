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

const load = (file: string) => grpc.loadPackageDefinition(protoLoader.loadSync(file, options));

/** `cartoon.v1.NodeService`: its client constructor and, under `.service`, its definition for a server. */
export const { NodeService } = (load("cartoon/v1/node.proto") as unknown as NodeTypes).cartoon.v1;

/** `cartoon.v1.JobService`: its client constructor and, under `.service`, its definition for a server. */
export const { JobService } = (load("cartoon/v1/job.proto") as unknown as JobTypes).cartoon.v1;

/** `cartoon.v1.AttachService`: its client constructor and, under `.service`, its definition for a server. */
export const { AttachService } = (load("cartoon/v1/attach.proto") as unknown as AttachTypes).cartoon.v1;

/** The package definition of the job service, for server reflection. */
export const jobPackageDefinition = protoLoader.loadSync("cartoon/v1/job.proto", options);

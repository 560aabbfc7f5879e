import { readFileSync } from "node:fs";
import { channelOptions } from "@cartoon/protos";
import { type ChannelOptions, credentials } from "@grpc/grpc-js";
import type { EdgeConfig } from "../env.ts";

/** Credentials and options for dialling nodes: plain, TLS, or mTLS where a client certificate is configured. */
export function nodeChannel(nodes: EdgeConfig["nodes"]) {
  if (nodes.ca === undefined) return { credentials: credentials.createInsecure(), options: channelOptions };
  const options: ChannelOptions = {
    ...channelOptions,
    // TLS dialled by IP address fails on Bun and Deno unless the certificate's name is given.
    "grpc.ssl_target_name_override": nodes.serverName,
    "grpc.default_authority": nodes.serverName,
  };
  const key = nodes.key === undefined ? null : readFileSync(nodes.key);
  const cert = nodes.cert === undefined ? null : readFileSync(nodes.cert);
  return { credentials: credentials.createSsl(readFileSync(nodes.ca), key, cert), options };
}

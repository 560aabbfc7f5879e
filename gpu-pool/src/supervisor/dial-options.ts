import { readFile } from "node:fs/promises";
import { channelOptions } from "@cartoon/protos";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import type { NodeEnv } from "../env.ts";

const EDGE_NAME = "cartoon-edge";

export interface DialOptions {
  credentials: ChannelCredentials;
  /** @param host the name that was configured; addresses that DNS gave for it keep its certificate */
  options: (host: string) => ChannelOptions;
}

/** Credentials and options for dialling edges: plain, TLS, or mTLS where a certificate of the node's is configured. */
export async function dialOptions(env: NodeEnv): Promise<DialOptions> {
  const { CARTOON_EDGE_CA: ca, CARTOON_EDGE_CERT: cert, CARTOON_EDGE_KEY: key } = env;
  if (!ca) return { credentials: credentials.createInsecure(), options: () => channelOptions };
  const read = (path: string | undefined) => (path ? readFile(path) : null);
  const [root, own, secret] = await Promise.all([
    read(ca === "system" ? undefined : ca),
    read(cert),
    read(key),
  ]);
  return {
    credentials: credentials.createSsl(root, secret, own),
    options: (host) => {
      const name = env.CARTOON_EDGE_SERVER_NAME ?? (ca === "system" ? host : EDGE_NAME);
      return {
        ...channelOptions,
        // TLS dialled by IP address fails unless the certificate's name is given.
        "grpc.ssl_target_name_override": name,
        "grpc.default_authority": name,
      };
    },
  };
}

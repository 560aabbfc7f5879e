import type { DestinationsConfig } from "./store/destinations-config.ts";

export type Environment = "development" | "ci" | "production";

export interface S3Config {
  endpoint: string;
  /** The endpoint as clients see it, where that differs from the one that edge and nodes use. */
  publicEndpoint: string;
  bucket: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  prefix: string;
}

export interface EdgeConfig {
  environment: Environment;
  debug: boolean;
  /** Requests are checked and then refused: the form can be tried where nothing can be rendered. */
  demo: boolean;
  /** No logs at all. */
  quiet: boolean;
  host: string;
  port: number;
  publicUrl: string | undefined;
  internalUrl: string | undefined;
  dataDir: string;
  databaseUrl: string | undefined;
  auth: "open" | "keys";
  urlSecret: string | undefined;
  urlTtlSeconds: number;
  retentionSeconds: number;
  executionTimeoutSeconds: number;
  /** How long an edge may be silent before the others take its jobs over. */
  leaseSeconds: number;
  queueTtlSeconds: number;
  syncWaitSeconds: number;
  maxQueued: number;
  maxBodyBytes: number;
  maxUploadBytes: number;
  /** Bytes that the files of one tenant's characters may take. */
  tenantFileBytes: number;
  /** Requests a minute for one key or address; 0 means no limit. */
  rateLimit: number;
  corsOrigins: string[];
  /** OpenTelemetry collector that takes traces over OTLP/HTTP. */
  otlpEndpoint: string | undefined;
  /** `host:port` pairs that webhooks may call although they lie on a private network. */
  fetchAllow: string[];
  nodes: {
    addresses: string[];
    /** PEM file paths. */
    ca: string | undefined;
    cert: string | undefined;
    key: string | undefined;
    serverName: string;
    restSeconds: number;
  };
  grpc: { port: number; cert?: string; key?: string; clientCa?: string } | undefined;
  /** Where nodes that can't be reached dial in. */
  attach: { port: number; cert?: string; key?: string; clientCa?: string } | undefined;
  /** Buckets by name that requests may pick. */
  destinations: DestinationsConfig;
  store: { kind: "folder" } | { kind: "s3"; s3: S3Config };
}

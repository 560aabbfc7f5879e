import { randomBytes } from "node:crypto";
import { isLoopbackHost } from "@cartoon/protos";
import { z } from "zod";
import type { EdgeConfig, Environment } from "./config.ts";
import { DestinationsConfig } from "./store/destinations-config.ts";

export type { EdgeConfig, Environment, S3Config } from "./config.ts";

const flag = z
  .enum(["0", "1", "true", "false"], "0, 1, true or false")
  .transform((value) => value === "1" || value === "true");
const seconds = (defaultValue: number, max: number) =>
  z.coerce.number().min(1).max(max).default(defaultValue);
const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);
const DAY = 86_400;
const jsonText = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue({ code: "custom", message: "not valid JSON" });
    return z.NEVER;
  }
});

const Variables = z.object({
  CARTOON_ENV: z.enum(["development", "ci", "production"]).optional(),
  NODE_ENV: z.string().optional(),
  CI: z.string().optional(),
  CARTOON_DEBUG: flag.default(false),
  CARTOON_DEMO: flag.default(false),
  CARTOON_QUIET: flag.default(false),
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  CARTOON_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  CARTOON_INTERNAL_URL: z.url({ protocol: /^https?$/ }).optional(),
  CARTOON_DATA_DIR: z.string().min(1).default("data"),
  DATABASE_URL: z.string().min(1).optional(),
  CARTOON_NODES: list.optional(),
  CARTOON_NODE_CA: z.string().optional(),
  CARTOON_NODE_CERT: z.string().optional(),
  CARTOON_NODE_KEY: z.string().optional(),
  CARTOON_NODE_SERVER_NAME: z.string().default("cartoon-node"),
  CARTOON_LEASE_SECONDS: z.coerce.number().min(1).max(600).default(15),
  CARTOON_NODE_REST_SECONDS: z.coerce.number().min(0).max(3600).default(30),
  CARTOON_GRPC_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  CARTOON_GRPC_CERT: z.string().optional(),
  CARTOON_GRPC_KEY: z.string().optional(),
  CARTOON_GRPC_CLIENT_CA: z.string().optional(),
  CARTOON_ATTACH_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  CARTOON_ATTACH_CERT: z.string().optional(),
  CARTOON_ATTACH_KEY: z.string().optional(),
  CARTOON_ATTACH_CLIENT_CA: z.string().optional(),
  CARTOON_ATTACH_INSECURE: flag.default(false),
  CARTOON_AUTH: z.enum(["open", "keys"]).optional(),
  CARTOON_URL_SECRET: z.string().min(32, "at least 32 characters").optional(),
  CARTOON_URL_TTL_SECONDS: seconds(3600, 7 * DAY),
  CARTOON_RETENTION_SECONDS: seconds(7 * DAY, 3650 * DAY),
  CARTOON_EXECUTION_TIMEOUT_SECONDS: seconds(3600, 7 * DAY),
  CARTOON_QUEUE_TTL_SECONDS: seconds(DAY, 7 * DAY),
  CARTOON_SYNC_WAIT_SECONDS: seconds(600, 3600),
  CARTOON_MAX_QUEUED: z.coerce.number().int().min(1).default(10_000),
  CARTOON_MAX_BODY_BYTES: z.coerce.number().int().min(1024).default(1_048_576),
  CARTOON_MAX_UPLOAD_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(512 * 1_048_576),
  CARTOON_TENANT_FILE_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(20 * 1024 ** 3),
  CARTOON_RATE_LIMIT: z.coerce.number().int().min(0).default(0),
  CARTOON_CORS_ORIGINS: list.default(["*"]),
  CARTOON_FETCH_ALLOW: list.default([]),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  CARTOON_STORE: z.enum(["folder", "s3"]).default("folder"),
  CARTOON_DESTINATIONS: jsonText.pipe(DestinationsConfig).default({}),
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_PUBLIC_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_BUCKET: z.string().min(3).optional(),
  S3_REGION: z.string().default("auto"),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  S3_PREFIX: z
    .string()
    .regex(/^[\w./-]*$/, "letters, digits, . _ - and / only")
    .default(""),
});
type Variables = z.infer<typeof Variables>;

/** Every variable that an edge reads; each has a line in README.md. */
export const VARIABLE_NAMES: readonly string[] = Object.keys(Variables.shape);

/** Every problem of the environment in one message, so that a start fails once and not five times. */
export class EnvironmentError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`The environment is not valid:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.name = "EnvironmentError";
    this.problems = problems;
  }
}

function detectEnvironment(variables: Variables): Environment {
  if (variables.CARTOON_ENV) return variables.CARTOON_ENV;
  if (variables.CI !== undefined && variables.CI !== "" && variables.CI !== "false") return "ci";
  return variables.NODE_ENV === "production" ? "production" : "development";
}

function crossProblems(variables: Variables): string[] {
  const problems: string[] = [];
  if (variables.CARTOON_AUTH === "open" && !isLoopbackHost(variables.HOST))
    problems.push(
      `CARTOON_AUTH: "open" is for loopback only, and HOST is ${variables.HOST}; use "keys" and make one with \`cartoon keys create\``,
    );
  if (variables.CARTOON_STORE === "s3")
    for (const name of ["S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const)
      if (variables[name] === undefined) problems.push(`${name}: needed when CARTOON_STORE is "s3"`);
  if ((variables.CARTOON_NODE_CERT === undefined) !== (variables.CARTOON_NODE_KEY === undefined))
    problems.push("CARTOON_NODE_CERT: CARTOON_NODE_CERT and CARTOON_NODE_KEY go together");
  if ((variables.CARTOON_GRPC_CERT === undefined) !== (variables.CARTOON_GRPC_KEY === undefined))
    problems.push("CARTOON_GRPC_CERT: CARTOON_GRPC_CERT and CARTOON_GRPC_KEY go together");
  problems.push(...attachProblems(variables));
  for (const address of variables.CARTOON_NODES ?? [])
    if (address !== "none" && !/^(dns:)?[\w.[\]:-]+:\d+$/.test(address))
      problems.push(`CARTOON_NODES: "${address}" is not host:port`);
  return problems;
}

function attachProblems(variables: Variables): string[] {
  const { CARTOON_ATTACH_PORT: port, CARTOON_ATTACH_CERT: cert, CARTOON_ATTACH_KEY: key } = variables;
  if (port === undefined) return [];
  if ((cert === undefined) !== (key === undefined))
    return ["CARTOON_ATTACH_CERT: CARTOON_ATTACH_CERT and CARTOON_ATTACH_KEY go together"];
  if (variables.CARTOON_ATTACH_CLIENT_CA !== undefined && cert === undefined)
    return ["CARTOON_ATTACH_CLIENT_CA: needs CARTOON_ATTACH_CERT and CARTOON_ATTACH_KEY"];
  if (cert === undefined && !isLoopbackHost(variables.HOST) && !variables.CARTOON_ATTACH_INSECURE)
    return [
      `CARTOON_ATTACH_CERT: node tokens would travel in the clear, HOST being ${variables.HOST}; give a certificate, or set CARTOON_ATTACH_INSECURE=1 behind a proxy that ends TLS`,
    ];
  return [];
}

/** The node beside the edge, unless nodes are named or dial in; `none` is for those who want neither. */
function nodeAddresses(variables: Variables): string[] {
  const beside = variables.CARTOON_ATTACH_PORT === undefined ? ["127.0.0.1:50051"] : [];
  return (variables.CARTOON_NODES ?? beside).filter((address) => address !== "none");
}

function storeConfig(variables: Variables): EdgeConfig["store"] {
  if (variables.CARTOON_STORE === "folder") return { kind: "folder" };
  const endpoint = variables.S3_ENDPOINT ?? "";
  return {
    kind: "s3",
    s3: {
      endpoint,
      publicEndpoint: variables.S3_PUBLIC_ENDPOINT ?? endpoint,
      bucket: variables.S3_BUCKET ?? "",
      region: variables.S3_REGION,
      accessKeyId: variables.S3_ACCESS_KEY_ID ?? "",
      secretAccessKey: variables.S3_SECRET_ACCESS_KEY ?? "",
      prefix: variables.S3_PREFIX,
    },
  };
}

const withoutSlash = (url: string | undefined) => url?.replace(/\/+$/, "");

/**
 * Parses the process environment into the configuration of the edge. Empty variables count as absent.
 * @throws EnvironmentError listing every problem
 */
export function parseEnv(env: Record<string, string | undefined>): EdgeConfig {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = Variables.safeParse(given);
  if (!parsed.success)
    throw new EnvironmentError(
      parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`),
    );
  const variables = parsed.data;
  const problems = crossProblems(variables);
  if (problems.length > 0) throw new EnvironmentError(problems);
  return Object.freeze({
    environment: detectEnvironment(variables),
    debug: variables.CARTOON_DEBUG,
    demo: variables.CARTOON_DEMO,
    quiet: variables.CARTOON_QUIET,
    host: variables.HOST,
    port: variables.PORT,
    publicUrl: withoutSlash(variables.CARTOON_PUBLIC_URL),
    internalUrl: withoutSlash(variables.CARTOON_INTERNAL_URL),
    dataDir: variables.CARTOON_DATA_DIR,
    databaseUrl: variables.DATABASE_URL,
    auth: variables.CARTOON_AUTH ?? (isLoopbackHost(variables.HOST) ? "open" : "keys"),
    urlSecret: variables.CARTOON_URL_SECRET,
    urlTtlSeconds: variables.CARTOON_URL_TTL_SECONDS,
    retentionSeconds: variables.CARTOON_RETENTION_SECONDS,
    executionTimeoutSeconds: variables.CARTOON_EXECUTION_TIMEOUT_SECONDS,
    leaseSeconds: variables.CARTOON_LEASE_SECONDS,
    queueTtlSeconds: variables.CARTOON_QUEUE_TTL_SECONDS,
    syncWaitSeconds: variables.CARTOON_SYNC_WAIT_SECONDS,
    maxQueued: variables.CARTOON_MAX_QUEUED,
    maxBodyBytes: variables.CARTOON_MAX_BODY_BYTES,
    maxUploadBytes: variables.CARTOON_MAX_UPLOAD_BYTES,
    tenantFileBytes: variables.CARTOON_TENANT_FILE_BYTES,
    rateLimit: variables.CARTOON_RATE_LIMIT,
    otlpEndpoint: withoutSlash(variables.OTEL_EXPORTER_OTLP_ENDPOINT),
    corsOrigins: variables.CARTOON_CORS_ORIGINS,
    fetchAllow: variables.CARTOON_FETCH_ALLOW,
    nodes: {
      addresses: nodeAddresses(variables),
      ca: variables.CARTOON_NODE_CA,
      cert: variables.CARTOON_NODE_CERT,
      key: variables.CARTOON_NODE_KEY,
      restSeconds: variables.CARTOON_NODE_REST_SECONDS,
      serverName: variables.CARTOON_NODE_SERVER_NAME,
    },
    grpc:
      variables.CARTOON_GRPC_PORT === undefined
        ? undefined
        : {
            port: variables.CARTOON_GRPC_PORT,
            cert: variables.CARTOON_GRPC_CERT,
            key: variables.CARTOON_GRPC_KEY,
            clientCa: variables.CARTOON_GRPC_CLIENT_CA,
          },
    attach:
      variables.CARTOON_ATTACH_PORT === undefined
        ? undefined
        : {
            port: variables.CARTOON_ATTACH_PORT,
            cert: variables.CARTOON_ATTACH_CERT,
            key: variables.CARTOON_ATTACH_KEY,
            clientCa: variables.CARTOON_ATTACH_CLIENT_CA,
          },
    destinations: variables.CARTOON_DESTINATIONS,
    store: storeConfig(variables),
  });
}

/** A secret for signed URLs, for a data folder that has none yet. */
export const newUrlSecret = () => randomBytes(32).toString("base64url");

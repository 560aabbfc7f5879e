import { join } from "node:path";
import { parseEnv } from "@cartoon/edge/env";
import { root } from "../lib/root.ts";

/** Where the embedded edge keeps its database, results and secret, unless told otherwise. */
export const defaultDataDir = process.env.CARTOON_DATA_DIR ?? join(root, ".cartoon");

/** CUDA libraries that `cartoon doctor --fix` has put in place, in `lib`. */
export const cudaDir = process.env.CARTOON_CUDA_DIR ?? join(defaultDataDir, "cuda");

/** What a server prints at its start. @throws EnvironmentError before anything is started */
export function describeEnvironment(overrides: Record<string, string | undefined>): string[] {
  const config = parseEnv({ ...process.env, ...overrides });
  return [
    `environment  ${config.environment}${config.debug ? " (debug)" : ""}`,
    `database     ${config.databaseUrl ? "PostgreSQL" : join(config.dataDir, "cartoon.db")}`,
    `results      ${config.store.kind === "s3" ? `bucket ${config.store.s3.bucket}` : join(config.dataDir, "store")}`,
    `access       ${config.auth === "open" ? "open, this machine only" : "API keys (cartoon keys create)"}`,
  ];
}

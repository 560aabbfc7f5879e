import type { Sealer } from "./secrets/seal.ts";
import type { Tx, Verb, Wake } from "./verb.ts";

/** An open database with its migrations applied. */
export interface Database {
  readonly dialect: "sqlite" | "postgres";
  /** Present when the database was opened with a secret key. */
  readonly sealer: Sealer | null;
  /** The database's clock in ms since 1970: edges whose own clocks differ agree on it. */
  now(): number;
  /**
   * Runs a writing verb in a transaction and resolves once it is durable. Where one statement does all the writing,
   * and nothing depends on what was read before it, `single` saves Postgres the round trips of a transaction.
   */
  write<T>(verb: (tx: Tx) => Verb<T>, options?: { single?: boolean }): Promise<T>;
  /** Runs a reading verb. */
  read<T>(verb: (tx: Tx) => Verb<T>): Promise<T>;
  /** Calls `listener` after each commit that it should know of, also those of other processes. Returns the way out. */
  subscribe(listener: (wake: Wake) => void): () => void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Seals secrets at rest (webhook secrets, credentials of a user's bucket): 32 bytes or more, any text. */
  secretKey?: string;
  /** For tests: the clock, in ms since 1970. */
  clock?: () => number;
  /** How often to look for other processes' writes when no notification came. Default: 250 ms. */
  pollMs?: number;
  /** Connections to Postgres. Default: 10. */
  maxConnections?: number;
}

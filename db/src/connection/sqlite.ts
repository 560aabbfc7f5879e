import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Database, DatabaseOptions } from "../database.ts";
import * as sqliteSchema from "../schema/sqlite.ts";
import { createSealer } from "../secrets/seal.ts";
import type { Schema, Tx, Verb, Wake } from "../verb.ts";
import { CREATE_MIGRATIONS_TABLE, CURRENT_VERSION, loadMigrations, pendingMigrations } from "./migrations.ts";
import { drizzleOnNodeSqlite, Statements } from "./node-sqlite.ts";
import { distinctWakes, WakeHub } from "./wakes.ts";
import { WriteQueue } from "./write-queue.ts";

/** While the schema is brought up to date, and later: then the write queue waits without blocking the thread. */
const OPENING_TIMEOUT_MS = 30_000;
const BUSY_TIMEOUT_MS = 20;
const DEFAULT_POLL_MS = 250;

/** Opens (and makes) a SQLite file, or a database in memory with `:memory:`. */
export function openSqlite(path: string, options: DatabaseOptions): Database {
  if (path !== ":memory:") makeFile(path);
  const client = new DatabaseSync(path);
  // First: switching to WAL already needs the lock.
  client.exec(`pragma busy_timeout = ${OPENING_TIMEOUT_MS}`);
  client.exec("pragma journal_mode = wal");
  client.exec("pragma synchronous = full");
  client.exec("pragma temp_store = memory");
  try {
    migrate(client);
    client.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
  } catch (error) {
    client.close();
    throw error;
  }
  return new SqliteDatabase(client, options);
}

/** For this user alone: hashes of keys and sealed secrets are in it. SQLite gives its other files the same mode. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, "a", 0o600));
}

function migrate(client: DatabaseSync): void {
  client.exec("begin immediate");
  try {
    client.exec(CREATE_MIGRATIONS_TABLE);
    const current = Number(client.prepare(CURRENT_VERSION).get()?.version);
    for (const migration of pendingMigrations(loadMigrations("sqlite"), current)) {
      client.exec(migration.sql);
      const record = client.prepare("insert into schema_migrations values (?, ?, ?)");
      record.run(migration.version, migration.name, Date.now());
    }
    client.exec("commit");
  } catch (error) {
    client.exec("rollback");
    throw error;
  }
}

class SqliteDatabase implements Database {
  readonly dialect = "sqlite";
  readonly sealer;
  readonly now: () => number;
  readonly #client: DatabaseSync;
  readonly #statements: Statements;
  readonly #db: Tx["db"];
  readonly #writes: WriteQueue;
  readonly #hub = new WakeHub();
  readonly #poll: ReturnType<typeof setInterval>;
  #dataVersion: number;
  #closed = false;

  constructor(client: DatabaseSync, options: DatabaseOptions) {
    this.#client = client;
    this.#writes = new WriteQueue(client);
    this.#statements = new Statements(client);
    this.#db = drizzleOnNodeSqlite(this.#statements) as unknown as Tx["db"];
    this.sealer = options.secretKey ? createSealer(options.secretKey) : null;
    this.now = options.clock ?? Date.now;
    this.#dataVersion = this.#readDataVersion();
    this.#poll = setInterval(() => this.#lookForOtherProcesses(), options.pollMs ?? DEFAULT_POLL_MS);
    (this.#poll as { unref?: () => void }).unref?.();
  }

  read<T>(verb: (tx: Tx) => Verb<T>): Promise<T> {
    try {
      this.#assertOpen();
      return Promise.resolve(drive(verb(this.#tx([]))));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async write<T>(verb: (tx: Tx) => Verb<T>): Promise<T> {
    this.#assertOpen();
    const wakes: Wake[] = [];
    const result = await this.#writes.add(() => drive(verb(this.#tx(wakes))));
    this.#hub.emit(distinctWakes(wakes));
    return result;
  }

  subscribe(listener: (wake: Wake) => void): () => void {
    return this.#hub.subscribe(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#poll);
    await this.#writes.drained();
    this.#client.close();
  }

  #tx(wakes: Wake[]): Tx {
    return {
      dialect: "sqlite",
      owner: this,
      db: this.#db,
      t: sqliteSchema as unknown as Schema,
      now: this.now(),
      raw: (text, params) => this.#statements.query(text, params),
      wake: (wake) => wakes.push(wake),
    };
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error("The database is closed.");
  }

  #readDataVersion(): number {
    return Number(this.#client.prepare("pragma data_version").get()?.data_version);
  }

  #lookForOtherProcesses(): void {
    if (this.#hub.isEmpty) return;
    const version = this.#readDataVersion();
    if (version === this.#dataVersion) return;
    this.#dataVersion = version;
    this.#hub.emit([{ type: "poll" }]);
  }
}

/** Runs a verb to its end on this thread. */
function drive<T>(verb: Verb<T>): T {
  let turn = verb.next();
  while (!turn.done) {
    let found: unknown;
    try {
      found = (turn.value as unknown as { all(): unknown[] }).all();
    } catch (error) {
      turn = verb.throw(error);
      continue;
    }
    turn = verb.next(found);
  }
  return turn.value;
}

import { sql } from "drizzle-orm";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { Database, DatabaseOptions } from "../database.ts";
import * as schema from "../schema/postgres.ts";
import { createSealer } from "../secrets/seal.ts";
import type { Schema, Tx, Verb, Wake } from "../verb.ts";
import { CREATE_MIGRATIONS_TABLE, CURRENT_VERSION, loadMigrations, pendingMigrations } from "./migrations.ts";
import { isConnectionLost, isRetryable } from "./postgres-errors.ts";
import { QueuedWakes } from "./queued-wakes.ts";
import { distinctWakes, WakeHub } from "./wakes.ts";

/** Any number that nobody else takes: held while migrations run, so that one of several processes does the work. */
const MIGRATION_LOCK = 5_120_770_417;
const CHANNEL = "cartoon_wake";
/** Postgres refuses a notification above 8,000 bytes. */
const WAKES_PER_NOTIFICATION = 64;
const DEFAULT_POLL_MS = 1_000;
const CLOCK_CHECK_MS = 60_000;
const ATTEMPTS = 6;
const IDLE_IN_TRANSACTION_MS = 10_000;

export async function openPostgres(url: string, options: DatabaseOptions): Promise<Database> {
  const client = postgres(url, {
    max: options.maxConnections ?? 10,
    onnotice: () => {},
    connection: {
      application_name: "cartoon",
      // A frozen edge must not keep others from the jobs that it was just looking at.
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    },
    backoff: (attempt) => Math.min(0.1 * 2 ** attempt, 2),
  });
  const db = drizzle(preparing(client), { schema });
  try {
    await migrate(client);
    const database = new PostgresDatabase(client, db, options);
    await database.start();
    return database;
  } catch (error) {
    await client.end({ timeout: 1 });
    throw error;
  }
}

/** Lets drizzle's queries be prepared once a connection, which saves each a round trip; by itself it asks for none. */
function preparing<S extends postgres.ISql>(sql: S): S {
  return new Proxy(sql, {
    get(target, name, receiver) {
      if (name === "unsafe") {
        return (text: string, params: never[]) => target.unsafe(text, params, { prepare: params.length > 0 });
      }
      if (name === "begin") {
        const { begin } = target as unknown as postgres.Sql;
        return (action: (inner: postgres.TransactionSql) => unknown) =>
          begin((inner) => action(preparing(inner)));
      }
      return Reflect.get(target, name, receiver);
    },
  });
}

async function migrate(client: postgres.Sql): Promise<void> {
  await client.begin(async (sql) => {
    await sql.unsafe(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await sql.unsafe(CREATE_MIGRATIONS_TABLE);
    const [row] = await sql.unsafe(CURRENT_VERSION);
    for (const migration of pendingMigrations(loadMigrations("postgres"), Number(row?.version))) {
      await sql.unsafe(migration.sql);
      await sql`insert into schema_migrations values (${migration.version}, ${migration.name}, ${Date.now()})`;
    }
  });
}

class PostgresDatabase implements Database {
  readonly dialect = "postgres";
  readonly sealer;
  readonly now: () => number;
  readonly #client: postgres.Sql;
  readonly #db: PostgresJsDatabase<Schema>;
  readonly #hub = new WakeHub();
  readonly #queued: QueuedWakes;
  readonly #pollMs: number;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #clockOffset = 0;

  constructor(client: postgres.Sql, db: PostgresJsDatabase<Schema>, options: DatabaseOptions) {
    this.#client = client;
    this.#db = db;
    this.sealer = options.secretKey ? createSealer(options.secretKey) : null;
    this.now = options.clock ?? (() => Date.now() + this.#clockOffset);
    this.#pollMs = options.pollMs ?? DEFAULT_POLL_MS;
    this.#queued = new QueuedWakes(this.#hub, (wake) => this.#notify(db, [wake]));
  }

  async start(): Promise<void> {
    await this.#checkClock();
    // Also called after every reconnection: what was notified in between is lost, so look again.
    const onListen = () => this.#hub.emit([{ type: "poll" }]);
    await this.#client.listen(CHANNEL, (payload) => this.#hub.emit(JSON.parse(payload)), onListen);
    this.#every(this.#pollMs, () => this.#hub.emit([{ type: "poll" }]));
    this.#every(CLOCK_CHECK_MS, () => void this.#checkClock().catch(() => {}));
  }

  read<T>(verb: (tx: Tx) => Verb<T>): Promise<T> {
    return withRetries(isConnectionLost, () => drive(verb(this.#tx(this.#db, []))));
  }

  /** Retried when Postgres itself says that nothing was kept (deadlock, serialisation, shutting down). */
  async write<T>(verb: (tx: Tx) => Verb<T>, options: { single?: boolean } = {}): Promise<T> {
    const { result, wakes } = await withRetries(isRetryable, () =>
      options.single ? this.#single(verb) : this.#transaction(verb),
    );
    this.#hub.emit(wakes.filter(({ type }) => type === "ended"));
    const queued = wakes.find(({ type }) => type === "queued");
    if (queued) this.#queued.tell(queued);
    return result;
  }

  async #single<T>(verb: (tx: Tx) => Verb<T>): Promise<{ result: T; wakes: Wake[] }> {
    const wakes: Wake[] = [];
    return { result: await drive(verb(this.#tx(this.#db, wakes))), wakes };
  }

  #transaction<T>(verb: (tx: Tx) => Verb<T>): Promise<{ result: T; wakes: Wake[] }> {
    return this.#db.transaction(async (db) => {
      const wakes: Wake[] = [];
      const result = await drive(verb(this.#tx(db, wakes)));
      const distinct = distinctWakes(wakes);
      await this.#notify(
        db,
        distinct.filter(({ type }) => type !== "ended" && type !== "queued"),
      );
      return { result, wakes: distinct };
    });
  }

  subscribe(listener: (wake: Wake) => void): () => void {
    return this.#hub.subscribe(listener);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#queued.close();
    await this.#client.end({ timeout: 5 });
  }

  async #notify(db: Tx["db"], wakes: Wake[]): Promise<void> {
    for (let i = 0; i < wakes.length; i += WAKES_PER_NOTIFICATION) {
      const payload = JSON.stringify(wakes.slice(i, i + WAKES_PER_NOTIFICATION));
      await db.execute(sql`select pg_notify(${CHANNEL}, ${payload})`);
    }
  }

  #tx(db: Tx["db"], wakes: Wake[]): Tx {
    const { client } = (db as unknown as { session: { client: postgres.Sql } }).session;
    return {
      dialect: "postgres",
      owner: this,
      db,
      t: schema,
      now: this.now(),
      raw: (text, params) => client.unsafe(text, params as never[]),
      wake: (wake) => wakes.push(wake),
    };
  }

  /** Half a round trip of error at most; leases are seconds long. */
  async #checkClock(): Promise<void> {
    const before = Date.now();
    const [row] = await this.#client`select extract(epoch from clock_timestamp()) * 1000 as now`;
    const after = Date.now();
    this.#clockOffset = Math.round(Number(row?.now) - (before + after) / 2);
  }

  #every(ms: number, action: () => void): void {
    const timer = setInterval(action, ms);
    (timer as { unref?: () => void }).unref?.();
    this.#timers.push(timer);
  }
}

async function drive<T>(verb: Verb<T>): Promise<T> {
  let turn = verb.next();
  while (!turn.done) {
    let found: unknown;
    try {
      found = await turn.value;
    } catch (error) {
      turn = verb.throw(error);
      continue;
    }
    turn = verb.next(found);
  }
  return turn.value;
}

async function withRetries<T>(mayRetry: (error: unknown) => boolean, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (attempt === ATTEMPTS || !mayRetry(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25 * 2 ** attempt * (0.5 + Math.random())));
    }
  }
}

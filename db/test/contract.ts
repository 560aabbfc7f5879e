import { afterAll, afterEach, describe, setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, type DatabaseOptions, openDatabase } from "../src/index.ts";
import { findPostgres, type PostgresServer, startPostgres } from "./postgres-server.ts";

/** One of the databases that every verb has to work on alike. */
export interface Backend {
  readonly name: "sqlite" | "postgres";
  /** URL of a new, empty database. */
  createUrl(): Promise<string>;
  /** A new database, closed after the test. */
  open(options?: DatabaseOptions): Promise<Database>;
  /** Another connection to a database, closed after the test. */
  connect(url: string, options?: DatabaseOptions): Promise<Database>;
}

const bin = findPostgres();
if (!bin)
  console.log("Postgres part of the contract suite left out: no server found (apt-get install postgresql).");

/** Runs the tests on SQLite and on Postgres. */
export function onEachDatabase(title: string, tests: (backend: Backend) => void): void {
  setDefaultTimeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "cartoon-db-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const kinds: [Backend["name"], () => Promise<string>][] = [["sqlite", () => sqliteUrl(folder)]];
  if (bin) kinds.push(["postgres", async () => (await sharedServer()).createDatabase()]);
  for (const [name, createUrl] of kinds) {
    describe(`${title} (${name})`, () => {
      const opened: Database[] = [];
      const connect = async (url: string, options: DatabaseOptions = {}) => {
        const database = await openDatabase(url, { maxConnections: 4, ...options });
        opened.push(database);
        return database;
      };
      afterEach(async () => {
        await Promise.all(opened.splice(0).map((database) => database.close()));
      });
      tests({ name, createUrl, connect, open: async (options) => connect(await createUrl(), options) });
    });
  }
}

/** Postgres' place in this process: started by the first test that asks; it ends with the process. */
let server: Promise<PostgresServer> | undefined;

export function sharedServer(): Promise<PostgresServer> {
  if (!bin) throw new Error("There is no Postgres on this machine.");
  server ??= startPostgres(bin);
  return server;
}

export const hasPostgres = bin !== undefined;

let files = 0;

async function sqliteUrl(folder: string): Promise<string> {
  return `sqlite:${join(folder, `test-${++files}.db`)}`;
}

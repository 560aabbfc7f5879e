import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKey, type Database, openDatabase } from "@cartoon/db";
import { findPostgres, type PostgresServer, startPostgres } from "@cartoon/db/test/postgres-server";
import { Listening } from "@cartoon/protos";
import { RUNTIME_OPTIONS } from "../../src/entries/runtime-options.ts";
import { ScriptedNode } from "../../test/scripted-node.ts";

const SECRET = "a secret for the bench, thirty-two bytes";
const ENTRY = fileURLToPath(new URL("../../src/entries/bun.ts", import.meta.url));
export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export type DatabaseKind = "sqlite" | "postgres";

/** An edge as it is deployed, a process of its own with API keys, and what is needed to measure it. */
export interface BenchEdge {
  url: string;
  /** Header lines of a JSON request with a key. */
  headers: string;
  token: string;
  db: Database;
  node: ScriptedNode;
  /** Resident memory of the edge in bytes. */
  memory: () => number;
  stop: () => Promise<void>;
}

export interface BenchEdgeOptions {
  database: DatabaseKind;
  /** What the node takes on at once; with 0 every job stays in the queue. */
  permits: number;
  node?: ScriptedNode;
}

export async function startBenchEdge(options: BenchEdgeOptions): Promise<BenchEdge> {
  const folder = mkdtempSync(join(tmpdir(), "cartoon-bench-"));
  const server = await place(options.database, folder);
  const db = await openDatabase(server.url, { secretKey: SECRET });
  const { token } = await createKey(db, { tenant: "bench", name: "bench" });
  const node = options.node ?? new ScriptedNode(undefined, { permits: options.permits });
  await node.start();
  const listening = Promise.withResolvers<Listening>();
  const child = Bun.spawn([process.execPath, ENTRY], {
    env: {
      PATH: process.env.PATH ?? "",
      HOST: "127.0.0.1",
      PORT: "0",
      CARTOON_ENV: "production",
      CARTOON_AUTH: "keys",
      CARTOON_DATA_DIR: folder,
      CARTOON_URL_SECRET: SECRET,
      CARTOON_NODES: node.address,
      CARTOON_MAX_QUEUED: "10000000",
      CARTOON_QUIET: "1",
      ...RUNTIME_OPTIONS,
      DATABASE_URL: server.url,
    },
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "json",
    ipc: (message) => listening.resolve(Listening.parse(message)),
    onExit: () => listening.reject(new Error("the edge did not come up")),
  });
  const { port } = await listening.promise;
  const url = `http://127.0.0.1:${port}`;
  const authorization = `authorization: Bearer ${token}\r\n`;
  await knowsItsNode(url, token);
  return {
    ...{ url, token, db, node },
    headers: `content-type: application/json\r\n${authorization}`,
    memory: () => memoryOf(child.pid),
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
      node.kill();
      await db.close();
      await server.postgres?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A new, durable database. */
export async function place(
  kind: DatabaseKind,
  folder: string,
): Promise<{ url: string; postgres?: PostgresServer }> {
  if (kind === "sqlite") return { url: `sqlite:${join(folder, "cartoon.db")}` };
  const bin = findPostgres();
  if (!bin) throw new Error("There is no Postgres here: set POSTGRES_BIN to the folder of initdb.");
  // With fsync: durable is what is measured.
  const postgres = await startPostgres(bin, true);
  return { url: await postgres.createDatabase(), postgres };
}

async function knowsItsNode(url: string, token: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/v1/characters`, { headers }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new Error("the edge did not come up");
}

function memoryOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

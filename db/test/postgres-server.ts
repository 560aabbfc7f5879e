import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import postgres from "postgres";

const DEBIAN_VERSIONS = "/usr/lib/postgresql";

/** Folder of initdb and postgres: `POSTGRES_BIN`, else the newest of Debian's. Undefined when there is none. */
export function findPostgres(): string | undefined {
  const given = process.env.POSTGRES_BIN;
  if (given) return given;
  if (!existsSync(DEBIAN_VERSIONS)) return undefined;
  const versions = readdirSync(DEBIAN_VERSIONS).sort((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => join(DEBIAN_VERSIONS, version, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
}

/** A Postgres server of our own, on a free port, in a temporary folder. */
export interface PostgresServer {
  /** URL of a new, empty place for tables: a schema, as whole databases take their time. */
  createDatabase(): Promise<string>;
  /** Ends at once, as in a crash, and starts again on the same data. */
  restart(): Promise<void>;
  /** Ends it and removes its folder; so does the end of this process. */
  stop(): Promise<void>;
}

/** @param fsync off for tests: what a killed server has written is still there, only a power cut could take it */
export async function startPostgres(bin: string, fsync = false): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "cartoon-pg-"));
  if (isRoot) spawnSync("chown", ["postgres", folder]);
  initdb(bin, folder);
  let [server, port] = await launchAnywhere(bin, folder, fsync);
  const database = `postgres://cartoon@127.0.0.1:${port}/postgres`;
  const admin = postgres(database, { max: 1, onnotice: () => {} });
  let made = 0;
  return {
    async createDatabase() {
      const schema = `test_${++made}`;
      await admin.unsafe(`create schema ${schema}`);
      return `${database}?search_path=${schema}`;
    },
    async restart() {
      await end(server, "keep");
      server = await launch(bin, folder, port, fsync);
    },
    async stop() {
      await admin.end({ timeout: 1 });
      await end(server, "remove");
    },
  };
}

const isRoot = userInfo().uid === 0;

/** Postgres refuses to run as root: then it runs as the user that Debian's package makes for it. */
function asPostgres(command: string[]): [string, string[]] {
  const [file = "", ...args] = command;
  return isRoot
    ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", ...command]]
    : [file, args];
}

function initdb(bin: string, folder: string): void {
  const options = ["-U", "cartoon", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"];
  const [file, list] = asPostgres([join(bin, "initdb"), "-D", join(folder, "data"), ...options]);
  const done = spawnSync(file, list, { encoding: "utf8", cwd: "/" });
  if (done.status !== 0) throw new Error(`initdb failed: ${done.stderr || done.error}`);
}

type Server = ChildProcess;

/** Postgres can't choose a port itself, and a free one may be taken before it gets there: then another one will do. */
async function launchAnywhere(bin: string, folder: string, fsync: boolean): Promise<[Server, number]> {
  for (;;) {
    const port = await freePort();
    try {
      return [await launch(bin, folder, port, fsync), port];
    } catch (error) {
      if (!(error instanceof PortTaken)) throw error;
    }
  }
}

class PortTaken extends Error {}

/** Ends Postgres when its input closes, so also when this process is killed; a line `keep` leaves the data. */
const GUARD = `
folder=$1; shift
"$@" & server=$!
read -r word
kill -QUIT $server; wait $server
[ "$word" = keep ] || rm -rf "$folder"
`;

async function launch(bin: string, folder: string, port: number, fsync: boolean): Promise<Server> {
  const settings = [
    "listen_addresses=127.0.0.1",
    `unix_socket_directories=${folder}`,
    "shared_buffers=32MB",
    `fsync=${fsync ? "on" : "off"}`,
  ];
  const args = [
    "-D",
    join(folder, "data"),
    "-p",
    String(port),
    ...settings.flatMap((setting) => ["-c", setting]),
  ];
  const [file, list] = asPostgres(["sh", "-c", GUARD, "sh", folder, join(bin, "postgres"), ...args]);
  // Detached: Deno kills what it has started when it ends, and the guard could not do its work.
  const server = spawn(file, list, { cwd: "/", stdio: ["pipe", "ignore", "pipe"], detached: true });
  let log = "";
  server.stderr?.on("data", (chunk) => {
    log = (log + chunk).slice(-4_000);
  });
  for (let i = 0; i < 300 && server.exitCode === null; i++) {
    if (log.includes("Address already in use")) {
      await end(server, "keep");
      throw new PortTaken(log);
    }
    if (await answers(port, folder)) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  server.stdin?.end();
  throw new Error(`Postgres did not start:\n${log}`);
}

/** Whether this very server answers, and not one of somebody else. */
async function answers(port: number, folder: string): Promise<boolean> {
  const sql = postgres(`postgres://cartoon@127.0.0.1:${port}/postgres`, {
    max: 1,
    connect_timeout: 2,
    onnotice: () => {},
  });
  try {
    const [row] = await sql`show data_directory`;
    return row?.data_directory === join(folder, "data");
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function end(server: Server, word: "keep" | "remove"): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null) return resolve();
    server.once("exit", () => resolve());
    server.stdin?.end(`${word}\n`);
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKey, openDatabase } from "@cartoon/db";
import { type DatabaseKind, place, sleep } from "./lib/edge.ts";
import { type Contender, contender } from "./submissions.ts";

const FOLDER = fileURLToPath(new URL("fastapi", import.meta.url));
const VENV = join(FOLDER, ".venv");

/** The same endpoint on the same tables in FastAPI with SQLAlchemy, one uvicorn process like the one edge. */
export async function startFastApi(database: DatabaseKind): Promise<Contender> {
  await makeVenv();
  const folder = mkdtempSync(join(tmpdir(), "cartoon-bench-"));
  const { url: databaseUrl, postgres } = await place(database, folder);
  const db = await openDatabase(databaseUrl);
  const { token } = await createKey(db, { tenant: "bench", name: "bench" });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const options = ["--port", String(port), "--no-access-log", "--log-level", "warning"];
  const child = Bun.spawn([join(VENV, "bin/uvicorn"), "app:app", ...options], {
    cwd: FOLDER,
    env: { PATH: process.env.PATH ?? "", BENCH_DATABASE_URL: sqlalchemyUrl(databaseUrl) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
    await db.close();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  await answering(`${url}/openapi.json`);
  return contender(db, { url, token }, stop);
}

function sqlalchemyUrl(url: string): string {
  if (url.startsWith("sqlite:")) return `sqlite:///${url.slice("sqlite:".length)}`;
  const { username, host, pathname, searchParams } = new URL(url);
  const options = encodeURIComponent(`-csearch_path=${searchParams.get("search_path")}`);
  return `postgresql+psycopg://${username}@${host}${pathname}?options=${options}`;
}

async function makeVenv(): Promise<void> {
  if (await Bun.file(join(VENV, "ready")).exists()) return;
  await must(["python3", "-m", "venv", VENV]);
  await must([join(VENV, "bin/pip"), "install", "-q", "-r", join(FOLDER, "requirements.txt")]);
  await Bun.write(join(VENV, "ready"), "");
}

async function must(command: string[]): Promise<void> {
  const code = await Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] }).exited;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}`);
}

async function answering(url: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer`);
}

/** uvicorn does not tell a port of its own choice. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

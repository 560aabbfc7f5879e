import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPostgres, startPostgres } from "@cartoon/db/test/postgres-server";
import { type DatabaseKind, freePort, sleep } from "./lib/edge.ts";
import { type Contender, submitter } from "./submissions.ts";

const FOLDER = fileURLToPath(new URL("fastapi", import.meta.url));
const VENV = join(FOLDER, ".venv");
const TOKEN = "ct_the-key-of-the-bench";

/** The same endpoint written in FastAPI with SQLAlchemy, one uvicorn process like the one edge. */
export async function startFastApi(database: DatabaseKind): Promise<Contender> {
  await makeVenv();
  const folder = mkdtempSync(join(tmpdir(), "cartoon-bench-"));
  const postgres = database === "postgres" ? await startPostgres(findPostgres() ?? "", true) : undefined;
  const databaseUrl = postgres
    ? sqlalchemyUrl(await postgres.createDatabase())
    : `sqlite:///${join(folder, "bench.db")}`;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const options = ["--port", String(port), "--no-access-log", "--log-level", "warning"];
  const child = Bun.spawn([join(VENV, "bin/uvicorn"), "app:app", ...options], {
    cwd: FOLDER,
    env: { PATH: process.env.PATH ?? "", BENCH_API_KEY: TOKEN, BENCH_DATABASE_URL: databaseUrl },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  await answering(`${url}/openapi.json`);
  const headers = `content-type: application/json\r\nauthorization: Bearer ${TOKEN}\r\n`;
  return { slice: submitter(url, headers).slice, check: async () => {}, stop };
}

function sqlalchemyUrl(url: string): string {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get("search_path");
  const options = encodeURIComponent(`-csearch_path=${schema}`);
  return `postgresql+psycopg://${parsed.username}@${parsed.host}${parsed.pathname}?options=${options}`;
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

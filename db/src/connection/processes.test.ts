import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { onEachDatabase } from "../../test/contract.ts";
import { put } from "../../test/factories.ts";
import { countJobs, eventsAfter, getJob, listJobs, openDatabase } from "../index.ts";

const worker = fileURLToPath(new URL("../../test/worker.ts", import.meta.url));
const operator = { operator: true } as const;

const runWorker = "Deno" in globalThis ? ["run", "-A", worker] : [worker];

function start(...args: string[]) {
  return spawn(process.execPath, [...runWorker, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

async function exitCode(child: ReturnType<typeof start>): Promise<unknown> {
  return (await once(child, "exit"))[0];
}

async function linesOf(child: { stdout: Readable }): Promise<string[]> {
  return (await text(child.stdout)).split("\n").slice(0, -1);
}

onEachDatabase("several processes", (backend) => {
  test("opening a new database at the same time, all of them succeed", async () => {
    const url = await backend.createUrl();
    const opened = [1, 2, 3, 4].map(() => start("open", url));
    expect(await Promise.all(opened.map(exitCode))).toEqual([0, 0, 0, 0]);
  });

  test("lease and commit side by side: each job runs once, no log has a hole", async () => {
    const url = await backend.createUrl();
    const db = await backend.connect(url);
    await Promise.all(Array.from({ length: 60 }, () => put(db)));
    const done = await Promise.all([1, 2, 3].map((i) => linesOf(start("drain", url, `edge-${i}`))));
    const ids = done.flat();
    expect(ids.length).toBe(60);
    expect(new Set(ids).size).toBe(60);
    expect(await countJobs(db, operator)).toMatchObject({
      queued: 0,
      running: 0,
      committing: 0,
      succeeded: 60,
    });
    for (const id of ids) {
      const life = (await eventsAfter(db, id)).map(({ seq, type }) => `${seq} ${type}`);
      expect(life).toEqual(["1 queued", "2 leased", "3 committing", "4 succeeded"]);
    }
  });

  test("kill -9 while enqueueing: what was acknowledged is there, whole", async () => {
    const url = await backend.createUrl();
    await (await backend.connect(url)).close();
    const child = start("enqueue", url, "100000");
    const acknowledged = linesOf(child);
    await waitForJobs(url, 30);
    child.kill("SIGKILL");
    const ids = await acknowledged;
    expect(ids.length).toBeGreaterThan(0);
    const db = await backend.connect(url);
    for (const id of ids) expect((await getJob(db, operator, id)).status).toBe("queued");
    for (const { id } of (await listJobs(db, operator, { limit: 200 })).jobs) {
      expect((await eventsAfter(db, id)).map(({ type }) => type)).toEqual(["queued"]);
    }
  });
});

async function waitForJobs(url: string, atLeast: number): Promise<void> {
  const db = await openDatabase(url);
  while ((await countJobs(db, operator)).queued < atLeast) await setTimeout(20);
  await db.close();
}

test("SQLite on a full disk: what was acknowledged is there, the rest was refused, and it goes on with room", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cartoon-full-"));
  const path = join(folder, "full.db");
  await (await openDatabase(path)).close();
  // A limit on the size of files stands in for the disk: the write fails in the same place.
  const limit = 'trap "" XFSZ; ulimit -f 8192; exec "$@"';
  const args = ["-c", limit, "sh", process.execPath, ...runWorker, "enqueue", path, "100000"];
  const child = spawn("sh", args, { stdio: ["ignore", "pipe", "pipe"] });
  const [ids, trouble] = await Promise.all([linesOf(child), text(child.stderr)]);
  expect(trouble).toMatch(/full|disk|I\/O/i);
  expect(ids.length).toBeGreaterThan(100);
  const db = await openDatabase(path);
  for (const id of ids) expect((await getJob(db, operator, id)).status).toBe("queued");
  expect((await put(db)).created).toBe(true);
  await db.close();
  rmSync(folder, { recursive: true });
});

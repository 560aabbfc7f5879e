import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { SQLiteTable } from "drizzle-orm/sqlite-core";
import { hasPostgres, onEachDatabase } from "../../test/contract.ts";
import { put, putRunning, speechSpec } from "../../test/factories.ts";
import { findPostgres, startPostgres } from "../../test/postgres-server.ts";
import { cancel, countJobs, getJob, openDatabase, type Wake } from "../index.ts";
import { rows, run } from "../verb.ts";
import { loadMigrations } from "./migrations.ts";

const acme = { tenant: "acme" };

onEachDatabase("a connection", (backend) => {
  test("opens a database again and finds what was in it", async () => {
    const url = await backend.createUrl();
    const first = await backend.connect(url);
    const { job } = await put(first);
    await first.close();
    const again = await backend.connect(url);
    expect((await getJob(again, acme, job.id)).spec).toEqual(speechSpec());
  });

  test("refuses a database of a newer version", async () => {
    const url = await backend.createUrl();
    const db = await backend.connect(url);
    await db.write((tx) =>
      run(tx.db.insert(tx.t.schemaMigrations).values({ version: 99, name: "later", appliedAt: 0 })),
    );
    await db.close();
    const newest = loadMigrations(backend.name).length;
    const refused = openDatabase(url);
    await expect(refused).rejects.toMatchObject({
      code: "database_newer",
      details: { database: 99, software: newest },
    });
    await expect(refused).rejects.toThrow("The database has schema version 99");
  });

  test("the tables are those that the code knows", async () => {
    const db = await backend.open();
    await db.read(function* (tx) {
      const tables = Object.values(tx.t).filter((table) =>
        is(table, backend.name === "sqlite" ? SQLiteTable : PgTable),
      );
      expect(tables.length).toBe(19);
      for (const table of tables) yield* rows(tx.db.select().from(table).limit(1));
    });
  });

  test("a verb that throws takes its own writes with it and nobody else's", async () => {
    const db = await backend.open();
    const add = (name: string, fails: boolean) =>
      db.write(function* (tx) {
        yield* run(
          tx.db.insert(tx.t.usage).values({ tenant: name, day: "2026-01-01", jobs: 1, deviceSeconds: 0 }),
        );
        if (fails) throw new Error(`${name} fails`);
      });
    const outcomes = await Promise.allSettled([add("a", false), add("b", true), add("c", false)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const kept = await db.read((tx) => rows(tx.db.select({ tenant: tx.t.usage.tenant }).from(tx.t.usage)));
    expect(kept.map(({ tenant }) => tenant).sort()).toEqual(["a", "c"]);
  });

  test("one input that the database can't hold costs the others of its batch nothing", async () => {
    const db = await backend.open();
    const broken = {
      toJSON: () => {
        throw new Error("not JSON");
      },
    };
    const calls = [put(db), put(db, { extras: { broken } }), put(db)];
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect((await countJobs(db, acme)).queued).toBe(2);
  });

  test("subscribers hear what happens here and elsewhere", async () => {
    const url = await backend.createUrl();
    const here = await backend.connect(url, { pollMs: 20 });
    const there = await backend.connect(url, { pollMs: 20 });
    const heard: Wake[] = [];
    const far: Wake[] = [];
    here.subscribe((wake) => heard.push(wake));
    const stop = there.subscribe((wake) => far.push(wake));
    const job = await putRunning(here);
    await cancel(here, acme, job.id);
    await until(() => heard.some(({ type }) => type === "cancel") && far.length > 0);
    expect(heard).toContainEqual({ type: "queued" });
    expect(heard).toContainEqual({ type: "changed", jobId: job.id });
    expect(heard).toContainEqual({ type: "cancel", jobId: job.id });
    const expected: Wake = backend.name === "postgres" ? { type: "cancel", jobId: job.id } : { type: "poll" };
    await until(() => far.some((wake) => JSON.stringify(wake) === JSON.stringify(expected)));
    stop();
    const before = far.length;
    await put(here);
    await setTimeout(60);
    expect(far.length).toBe(before);
  });

  test("a refused verb wakes nobody", async () => {
    const db = await backend.open({ pollMs: 60_000 });
    await setTimeout(20);
    const heard: Wake[] = [];
    db.subscribe((wake) => heard.push(wake));
    const failing = db.write(function* (tx) {
      tx.wake({ type: "queued" });
      yield* rows(tx.db.select().from(tx.t.queueClock));
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await setTimeout(40);
    expect(heard).toEqual([]);
  });
});

test("SQLite: the file and its folder are made, for this user alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cartoon-file-"));
  const path = join(folder, "data", "cartoon.db");
  const db = await openDatabase(`sqlite:${path}`);
  await put(db);
  for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600);
  await db.close();
  rmSync(folder, { recursive: true });
});

test("SQLite: while another process holds the database, reading goes on and writing waits", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cartoon-busy-"));
  const path = join(folder, "busy.db");
  const db = await openDatabase(path);
  const { job } = await put(db);
  const other = new DatabaseSync(path);
  other.exec("begin immediate");
  let written = false;
  const waiting = put(db).then(() => {
    written = true;
  });
  await setTimeout(150);
  expect((await getJob(db, acme, job.id)).id).toBe(job.id);
  expect(written).toBe(false);
  other.exec("rollback");
  other.close();
  await waiting;
  expect((await countJobs(db, acme)).queued).toBe(2);
  await db.close();
  rmSync(folder, { recursive: true });
});

if (hasPostgres) test("Postgres may be restarted under a running edge", survivesRestart);

async function survivesRestart() {
  const server = await startPostgres(findPostgres() ?? "");
  const db = await openDatabase(await server.createDatabase(), { pollMs: 50 });
  const { job } = await put(db);
  let polls = 0;
  await server.restart();
  const written = put(db);
  const read = getJob(db, acme, job.id);
  expect((await read).id).toBe(job.id);
  expect((await written).created).toBe(true);
  const stop = db.subscribe(({ type }) => {
    if (type === "queued") polls++;
  });
  // Notifications come again once the driver listens anew.
  await until(async () => {
    await put(db);
    await setTimeout(20);
    return polls > 0;
  });
  stop();
  await db.close();
  await server.stop();
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await setTimeout(5);
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createKey,
  type Database,
  enqueue,
  enqueueMany,
  estimateJob,
  getJob,
  lease,
  listJobs,
  openDatabase,
  sweep,
  verifyKey,
} from "../src/index.ts";
import { speechSpec } from "../test/factories.ts";
import { findPostgres, startPostgres } from "../test/postgres-server.ts";

/**
 * How fast jobs are taken, durably, and how fast they are read when there are many.
 * `bun db/bench/enqueue.ts [seconds] [clients] [jobs for reading]`
 */
const seconds = Number(process.argv[2] ?? 4);
const clients = Number(process.argv[3] ?? 50);
const many = Number(process.argv[4] ?? 100_000);
const TENANTS = 20;
const operator = { operator: true } as const;

interface Row {
  what: string;
  perSecond: number;
  p50: number;
  p99: number;
}

/** Runs `action` in `lanes` endless lanes for a while. */
async function measure(what: string, lanes: number, action: (i: number) => Promise<unknown>): Promise<Row> {
  const times: number[] = [];
  const end = performance.now() + seconds * 1_000;
  let next = 0;
  const lane = async () => {
    while (performance.now() < end) {
      const start = performance.now();
      await action(next++);
      times.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  const took = (performance.now() - start) / 1_000;
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { what, perSecond: Math.round(times.length / took), p50: at(0.5), p99: at(0.99) };
}

async function fill(db: Database): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < many) {
    const some = Array.from({ length: 200 }, (_, i) => ({
      tenant: `tenant-${i % TENANTS}`,
      spec: speechSpec(),
    }));
    for (const made of await enqueueMany(db, some)) if (!(made instanceof Error)) ids.push(made.job.id);
  }
  return ids;
}

async function bench(name: string, url: string): Promise<void> {
  const db = await openDatabase(url);
  const { token } = await createKey(db, { tenant: "tenant-0", name: "bench" });
  const limits = { tenantQueued: 1_000_000, globalQueued: 1_000_000 };
  const submit = async () => {
    const key = await verifyKey(db, token);
    if (key) await enqueue(db, { tenant: key.tenant, spec: speechSpec(), limits });
  };
  const table: Row[] = [await measure(`enqueue, ${clients} clients`, clients, submit)];
  const ids = await fill(db);
  const id = (i: number) => ids[(i * 7919) % ids.length] ?? "";
  const tenant = { tenant: "tenant-3" };
  table.push(await measure(`enqueue beside ${many} waiting`, clients, submit));
  table.push(await measure("read one", 1, (i) => getJob(db, operator, id(i))));
  table.push(await measure("list 50", 1, () => listJobs(db, tenant)));
  table.push(await measure("list 50 waiting", 1, () => listJobs(db, tenant, { status: "queued" })));
  let cursor: string | undefined;
  table.push(
    await measure("list next 50", 1, async () => {
      cursor = (await listJobs(db, tenant, { cursor })).nextCursor ?? undefined;
    }),
  );
  table.push(await measure("position in queue", 1, (i) => estimateJob(db, operator, id(i), 1)));
  table.push(await measure("lease one", 1, () => lease(db, { edgeId: "edge", leaseMs: 600_000 })));
  table.push(await measure("sweep", 1, () => sweep(db)));
  console.log(`\n${name}`);
  console.log("                                      per s    p50 ms    p99 ms");
  for (const row of table) {
    const numbers = [row.perSecond.toString(), row.p50.toFixed(2), row.p99.toFixed(2)];
    console.log(row.what.padEnd(33) + numbers.map((text) => text.padStart(10)).join(""));
  }
  console.log(`memory: ${Math.round(process.memoryUsage().rss / 1_048_576)} MiB`);
  await db.close();
}

const folder = mkdtempSync(join(tmpdir(), "cartoon-bench-"));
await bench("SQLite, WAL, synchronous=FULL", join(folder, "bench.db"));
rmSync(folder, { recursive: true });
const bin = findPostgres();
if (bin) {
  const server = await startPostgres(bin, true);
  await bench("Postgres, fsync on", await server.createDatabase());
  await server.stop();
} else {
  console.log("\nPostgres left out: no server found (apt-get install postgresql).");
}

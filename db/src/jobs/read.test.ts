import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, put, putRunning, receipt, speechSpec } from "../../test/factories.ts";
import {
  type Attempt,
  beginCommit,
  cancel,
  commit,
  countByTenant,
  countJobs,
  type Database,
  deleteJob,
  deleteOldJobs,
  estimateJob,
  estimateNew,
  eventsAfter,
  expiredResults,
  forgetResults,
  getJob,
  lease,
  listJobs,
  prune,
  purgeQueue,
  retry,
} from "../index.ts";

const acme = { tenant: "acme" };
const other = { tenant: "other" };
const operator = { operator: true } as const;

async function succeed(db: Database, job: Attempt, deviceSeconds = 2) {
  await beginCommit(db, job, 10_000);
  const result = { contentType: "audio/wav", bytes: 1, sha256: "", width: 0, height: 0, seconds: 1 };
  const results = [{ ...result, name: "speech.wav", storageKey: `jobs/${job.id}/speech.wav` }];
  await commit(db, job, { results, receipt: receipt(deviceSeconds) });
}

onEachDatabase("reading jobs", (backend) => {
  test("one tenant's jobs are not there for another", async () => {
    const db = await backend.open();
    const { job } = await put(db);
    const missing = { code: "not_found" };
    await expect(getJob(db, other, job.id)).rejects.toMatchObject(missing);
    await expect(cancel(db, other, job.id)).rejects.toMatchObject(missing);
    await expect(retry(db, other, job.id)).rejects.toMatchObject(missing);
    await expect(deleteJob(db, other, job.id)).rejects.toMatchObject(missing);
    await expect(getJob(db, acme, "job_'; drop table jobs")).rejects.toMatchObject(missing);
    expect((await listJobs(db, other)).jobs).toEqual([]);
    expect(await purgeQueue(db, other)).toBe(0);
    expect((await getJob(db, operator, job.id)).id).toBe(job.id);
  });

  test("pages newest first, each job once, while new ones come in", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const ids: string[] = [];
    for (let i = 0; i < 11; i++) {
      ids.unshift((await put(db)).job.id);
      if (i % 3 === 0) advance(1);
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listJobs(db, acme, { limit: 4, cursor });
      seen.push(...page.jobs.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      await put(db, { tenant: "other" });
    } while (cursor);
    expect([...seen].sort()).toEqual([...ids].sort());
    const times = await Promise.all(seen.map(async (id) => (await getJob(db, acme, id)).createdAt));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    await expect(listJobs(db, acme, { cursor: "bm90IG91cnM" })).rejects.toMatchObject({
      code: "invalid_input",
    });
  });

  test("filters by state and by dialect", async () => {
    const db = await backend.open();
    await put(db, { dialect: "runpod" });
    const running = await putRunning(db);
    const list = async (options: Parameters<typeof listJobs>[2]) =>
      (await listJobs(db, acme, options)).jobs.length;
    expect(await list({ status: "queued" })).toBe(1);
    expect((await listJobs(db, acme, { status: "running" })).jobs[0]?.id).toBe(running.id);
    expect(await list({ dialect: "runpod", status: "running" })).toBe(0);
  });

  test("counts by state, tenant and dialect", async () => {
    const db = await backend.open();
    await put(db, { dialect: "runpod" });
    await put(db, { tenant: "other" });
    await putRunning(db);
    expect(await countJobs(db, acme)).toMatchObject({ queued: 1, running: 1, failed: 0 });
    expect(await countJobs(db, operator)).toMatchObject({ queued: 2, running: 1 });
    expect(await countJobs(db, acme, { dialect: "runpod" })).toMatchObject({ queued: 1, running: 0 });
    expect(await countByTenant(db)).toContainEqual({ tenant: "other", status: "queued", jobs: 1 });
  });

  test("purging the queue cancels what waits and nothing else", async () => {
    const db = await backend.open();
    const running = await putRunning(db);
    await Promise.all(Array.from({ length: 205 }, () => put(db)));
    await put(db, { tenant: "other" });
    expect(await purgeQueue(db, acme)).toBe(205);
    expect(await countJobs(db, operator)).toMatchObject({ queued: 1, running: 1, canceled: 205 });
    expect((await getJob(db, acme, running.id)).status).toBe("running");
  });

  test("position and time from measured history", async () => {
    const db = await backend.open();
    const done = await putRunning(db, { work: 10 });
    expect((await estimateNew(db, { pack: "toon", work: 1 }, 1)).startsInSeconds).toBeNull();
    await succeed(db, done, 5);
    await put(db, { work: 4 });
    const mine = await put(db, { work: 2 });
    await put(db, { work: 100, priority: "high" });
    const estimate = await estimateJob(db, acme, mine.job.id, 2);
    expect(estimate).toEqual({
      position: 2,
      startsInSeconds: 26,
      finishesInSeconds: 27,
      secondsPerWork: 0.5,
      gpuMemoryBytes: null,
    });
    expect((await estimateNew(db, { pack: "toon", work: 2, priority: "high" }, 1)).position).toBe(1);
    expect((await estimateJob(db, acme, done.id, 1)).position).toBe(0);
  });

  test("GPU memory from the jobs of the most similar size, where there was a GPU", async () => {
    const db = await backend.open();
    const ran = async (work: number, gpuMemoryBytes?: number) => {
      const job = await putRunning(db, { work });
      await beginCommit(db, job, 10_000);
      await commit(db, job, { results: [], receipt: { ...receipt(work), gpuMemoryBytes } });
    };
    const memory = async (work: number) => (await estimateNew(db, { pack: "toon", work }, 1)).gpuMemoryBytes;
    await ran(10);
    expect(await memory(10)).toBeNull();
    for (let i = 0; i < 5; i++) await ran(10 + i, 1_000 + i);
    for (let i = 0; i < 5; i++) await ran(1_000 + i, 9_000 + i);
    expect([await memory(12), await memory(900), await memory(0)]).toEqual([1_004, 9_004, 1_004]);
  });

  test("results are kept for their time, then the job is read without them", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const job = await putRunning(db, { resultsTtlMs: 1_000 });
    await succeed(db, job);
    expect(await expiredResults(db)).toEqual([]);
    advance(1_000);
    const expired = await expiredResults(db);
    expect(expired).toEqual([{ jobId: job.id, storageKeys: [`jobs/${job.id}/speech.wav`] }]);
    await forgetResults(
      db,
      expired.map(({ jobId }) => jobId),
    );
    expect(await expiredResults(db)).toEqual([]);
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "succeeded", results: [] });
  });

  test("deleting takes everything of a job, its idempotency key included", async () => {
    const db = await backend.open();
    const job = await putRunning(db, { idempotencyKey: "k" });
    await expect(deleteJob(db, acme, job.id)).rejects.toMatchObject({ code: "invalid_transition" });
    await succeed(db, job);
    expect((await deleteJob(db, acme, job.id)).storageKeys).toEqual([`jobs/${job.id}/speech.wav`]);
    await expect(getJob(db, acme, job.id)).rejects.toMatchObject({ code: "not_found" });
    expect(await eventsAfter(db, job.id)).toEqual([]);
    expect((await put(db, { idempotencyKey: "k" })).created).toBe(true);
  });

  test("old jobs go, young and unfinished ones stay", async () => {
    const { clock, advance, time } = manualClock();
    const db = await backend.open({ clock });
    const old = await putRunning(db);
    await succeed(db, old);
    const { job: waiting } = await put(db);
    advance(1_000);
    const [young] = await lease(db, { edgeId: "e", leaseMs: 1_000, ids: [(await put(db)).job.id] });
    if (young) await succeed(db, young);
    expect((await deleteOldJobs(db, time.now - 1)).map(({ jobId }) => jobId)).toEqual([old.id]);
    const left = (await listJobs(db, acme)).jobs.map(({ id }) => id);
    expect(left.sort()).toEqual([waiting.id, young?.id ?? ""].sort());
    await prune(db);
  });

  test("the spec comes back as it went in", async () => {
    const db = await backend.open();
    const spec = speechSpec();
    const { job } = await put(db, { spec });
    const keys = Object.keys((await getJob(db, acme, job.id)).spec);
    expect(keys).toEqual(Object.keys(spec));
  });
});

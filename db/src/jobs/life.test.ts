import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, put, putRunning, receipt, SECRET_KEY } from "../../test/factories.ts";
import {
  type Attempt,
  beginCommit,
  cancel,
  commit,
  confirmCancel,
  type Database,
  eventsAfter,
  expiredResults,
  fail,
  getJob,
  getPreview,
  getSpeechPart,
  type Job,
  lease,
  openSecrets,
  report,
  retry,
  sweep,
  usageToday,
  wantsPartial,
} from "../index.ts";

const acme = { tenant: "acme" };
const take = { edgeId: "edge-1", nodeId: "node-1", leaseMs: 10_000 };
const clip = {
  name: "clip.mp4",
  contentType: "video/mp4",
  bytes: 5_000_000_000,
  sha256: "ab".repeat(32),
  storageKey: "jobs/x/1/clip.mp4",
  width: 256,
  height: 256,
  seconds: 2.5,
};

async function succeed(db: Database, job: Attempt) {
  await beginCommit(db, job, 10_000);
  return commit(db, job, { results: [clip], receipt: receipt() });
}

/** The attempt of a job that must have been leased. */
function attempt(job: Job | undefined): Attempt {
  if (!job) throw new Error("No job was leased.");
  return { id: job.id, fence: job.fence };
}

async function types(db: Database, id: string) {
  const events = await eventsAfter(db, id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
  return events.map(({ type }) => type);
}

onEachDatabase("a job's life", (backend) => {
  test("queued, running, committing, succeeded, with every event in order", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    const events = [
      { type: "progress", data: { step: 1 } },
      { type: "log", data: { message: "denoising" } },
    ];
    await report(db, { ...job, events, progress: 0.4, stage: "denoise", step: 1, steps: 8 });
    await report(db, { ...job, progress: 0.2, events: [{ type: "progress", data: { step: 2 } }] });
    expect(await getJob(db, acme, job.id)).toMatchObject({
      progress: 0.4,
      stage: "denoise",
      step: 1,
      steps: 8,
    });
    expect(await succeed(db, job)).toMatchObject({ status: "succeeded", progress: 1, deviceSeconds: 2 });
    const done = await getJob(db, acme, job.id);
    expect(done.results).toEqual([clip]);
    expect(done.completedAt).not.toBeNull();
    const life = ["queued", "leased", "progress", "log", "progress", "committing", "succeeded"];
    expect(await types(db, job.id)).toEqual(life);
    expect((await eventsAfter(db, job.id, 5)).map(({ type }) => type)).toEqual(["committing", "succeeded"]);
    expect(await usageToday(db, "acme")).toMatchObject({ jobs: 1, deviceSeconds: 2 });
  });

  test("reports at the same time leave no hole and no double number", async () => {
    const url = await backend.createUrl();
    const [a, b] = [await backend.connect(url), await backend.connect(url)];
    const job = await putRunning(a);
    const event = { type: "progress", data: {} };
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => report(i % 2 ? a : b, { ...job, events: [event, event] })),
    );
    expect((await types(a, job.id)).length).toBe(82);
  });

  test("a job succeeds once, and a terminal state is the last", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    await succeed(db, job);
    const refused = { code: "invalid_transition" };
    await expect(commit(db, job, { results: [], receipt: receipt() })).rejects.toMatchObject(refused);
    await expect(fail(db, { ...job, code: "x", message: "x", retryable: true })).rejects.toMatchObject(
      refused,
    );
    await expect(report(db, { ...job, events: [] })).rejects.toMatchObject(refused);
    await expect(retry(db, acme, job.id)).rejects.toMatchObject(refused);
    expect((await cancel(db, acme, job.id)).status).toBe("succeeded");
  });

  test("commit is refused before the results were checked", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    const early = commit(db, job, { results: [clip], receipt: receipt() });
    await expect(early).rejects.toMatchObject({ code: "invalid_transition" });
  });

  test("warnings, checkpoint and preview", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const job = await putRunning(db);
    const warning = { field: "clip.width", given: "1024", used: "256", rule: "native size of the pack" };
    const checkpoint = { step: 4, sha256: "cd".repeat(32), storageKey: "jobs/x/checkpoint", bytes: 10 };
    const preview = { contentType: "image/webp", step: 4, data: new Uint8Array([0, 255, 1, 128]) };
    await report(db, { ...job, warnings: [warning], checkpoint, preview });
    await report(db, { ...job, warnings: [warning], preview: { ...preview, step: 5 } });
    expect((await getJob(db, acme, job.id)).warnings).toEqual([warning, warning]);
    const shown = await getPreview(db, acme, job.id);
    expect(shown?.step).toBe(5);
    expect([...(shown?.data ?? [])]).toEqual([0, 255, 1, 128]);
    const part = {
      part: 0,
      contentType: "audio/wav",
      startSeconds: 0,
      seconds: 1.5,
      data: new Uint8Array([1]),
    };
    await report(db, { ...job, speechParts: [part, { ...part, part: 1, data: new Uint8Array([2, 3]) }] });
    await report(db, { ...job, speechParts: [{ ...part, data: new Uint8Array([9]) }] });
    const heard = async (n: number) => [...((await getSpeechPart(db, acme, job.id, n))?.data ?? [])];
    expect([await heard(0), await heard(1), await heard(2)]).toEqual([[9], [2, 3], []]);
    advance(10_001);
    await sweep(db);
    const [again] = await lease(db, take);
    expect(again?.checkpoint).toEqual(checkpoint);
    await succeed(db, attempt(again));
    expect(await getPreview(db, acme, job.id)).toBeNull();
    expect(await getSpeechPart(db, acme, job.id, 0)).toBeNull();
  });

  test("a passing failure is tried again after a pause, three times in all", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { id } = await putRunning(db);
    const failure = { code: "upload_failed", message: "503", retryable: true, receipt: receipt(1) };
    const statuses: string[] = [];
    for (let i = 0; i < 3; i++) {
      if (i > 0) expect((await lease(db, take)).length).toBe(1);
      statuses.push((await fail(db, { id, fence: i + 1, ...failure })).status);
      if (i < 2) expect(await lease(db, take)).toEqual([]);
      advance(10_000);
    }
    expect(statuses).toEqual(["queued", "queued", "failed"]);
    expect(await getJob(db, acme, id)).toMatchObject({
      error: { code: "upload_failed", message: "503" },
      deviceSeconds: 3,
      attempt: 3,
    });
  });

  test("a final failure is final", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    const failed = await fail(db, {
      ...job,
      code: "invalid_spec",
      message: "no such LoRA",
      retryable: false,
    });
    expect(failed).toMatchObject({
      status: "failed",
      error: { code: "invalid_spec", message: "no such LoRA" },
    });
    expect(await types(db, job.id)).toEqual(["queued", "leased", "failed"]);
  });

  test("a job that kills two nodes is poison", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    const death = { code: "node_lost", message: "connection closed", retryable: true, nodeDied: true };
    expect((await fail(db, { ...job, ...death })).status).toBe("queued");
    const [again] = await lease(db, take);
    expect(await fail(db, { ...attempt(again), ...death })).toMatchObject({
      status: "failed",
      error: { code: "poison" },
    });
  });

  test("a silent edge costs a lease, not the job; ten of them end it", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const job = await putRunning(db);
    for (let i = 0; i < 9; i++) {
      advance(10_001);
      await sweep(db);
      expect((await lease(db, take)).map(({ id }) => id)).toEqual([job.id]);
    }
    advance(10_001);
    await sweep(db);
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "failed", error: { code: "lease_lost" } });
    await types(db, job.id);
  });

  test("a committing job whose edge dies is run again", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const job = await putRunning(db);
    await beginCommit(db, job, 10_000);
    advance(10_001);
    await sweep(db);
    const [again] = await lease(db, take);
    expect(again).toMatchObject({ id: job.id, status: "running", fence: 2 });
  });

  test("cancel: at once while it waits", async () => {
    const db = await backend.open();
    const { job } = await put(db);
    expect(await cancel(db, acme, job.id)).toMatchObject({ status: "canceled" });
    expect(await lease(db, take)).toEqual([]);
    expect((await cancel(db, acme, job.id)).status).toBe("canceled");
    expect(await types(db, job.id)).toEqual(["queued", "canceled"]);
  });

  test("cancel: a running job is asked to stop, and its receipt is kept", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    await expect(confirmCancel(db, job, null)).rejects.toMatchObject({ code: "invalid_transition" });
    expect(await cancel(db, acme, job.id)).toMatchObject({ status: "running" });
    expect((await report(db, { ...job, events: [] })).cancelRequested).toBe(true);
    expect(await confirmCancel(db, job, receipt(0.5))).toMatchObject({
      status: "canceled",
      receipt: receipt(0.5),
    });
    expect(await types(db, job.id)).toEqual(["queued", "leased", "cancel_requested", "canceled"]);
    expect((await usageToday(db, "acme")).deviceSeconds).toBe(0.5);
  });

  test("cancel: what there was of a clip is kept like a result, until the job is tried again", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const job = await putRunning(db, { resultsTtlMs: 60_000 });
    expect(wantsPartial(await cancel(db, acme, job.id, { partial: true }))).toBe(true);
    const ended = await confirmCancel(db, job, receipt(0.5), [clip]);
    expect(ended).toMatchObject({ status: "canceled", resultsExpireAt: clock() + 60_000 });
    expect((await getJob(db, acme, job.id)).results).toEqual([clip]);
    const last = (await eventsAfter(db, job.id, 0)).at(-1);
    const { storageKey: _where, ...seen } = clip;
    expect(last?.data).toEqual({ receipt: receipt(0.5), results: [seen] });
    advance(60_001);
    expect(await expiredResults(db)).toEqual([{ jobId: job.id, storageKeys: [clip.storageKey] }]);
    const again = await retry(db, acme, job.id);
    expect([wantsPartial(again), again.resultsExpireAt]).toEqual([false, null]);
    expect((await getJob(db, acme, job.id)).results).toEqual([]);
    expect(await expiredResults(db)).toEqual([]);
  });

  test("cancel: a waiting job has nothing to show, and a second wish comes too late", async () => {
    const db = await backend.open();
    const { job: waiting } = await put(db);
    expect(await cancel(db, acme, waiting.id, { partial: true })).toMatchObject({ status: "canceled" });
    const job = await putRunning(db);
    await cancel(db, acme, job.id);
    expect(wantsPartial(await cancel(db, acme, job.id, { partial: true }))).toBe(false);
  });

  test("cancel: whoever was asked and is lost, or fails, ends as canceled", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const [lost, failed] = [await putRunning(db), await putRunning(db)];
    await cancel(db, acme, lost.id);
    await cancel(db, acme, failed.id);
    await fail(db, { ...failed, code: "x", message: "x", retryable: true });
    advance(10_001);
    await sweep(db);
    expect((await getJob(db, acme, lost.id)).status).toBe("canceled");
    expect((await getJob(db, acme, failed.id)).status).toBe("canceled");
  });

  test("cancel comes too late for a committing job", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    await beginCommit(db, job, 1_000);
    expect(await cancel(db, acme, job.id)).toMatchObject({ status: "committing", cancelRequestedAt: null });
    expect((await commit(db, job, { results: [clip], receipt: receipt() })).status).toBe("succeeded");
  });

  test("time-outs of waiting and of running", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { job: waiting } = await put(db, { queueTtlMs: 5_000 });
    const running = await putRunning(db, { executionTimeoutMs: 8_000, queueTtlMs: 5_000 });
    advance(5_000);
    expect(await lease(db, take)).toEqual([]);
    expect((await sweep(db)).timedOut).toEqual([waiting.id]);
    advance(3_000);
    expect((await sweep(db)).timedOut).toEqual([running.id]);
    const late = { code: "invalid_transition" };
    await expect(beginCommit(db, running, 1_000)).rejects.toMatchObject(late);
    expect(await getJob(db, acme, waiting.id)).toMatchObject({
      status: "timed_out",
      error: { code: "queue_timeout" },
    });
    expect(await getJob(db, acme, running.id)).toMatchObject({
      status: "timed_out",
      error: { code: "execution_timeout" },
    });
  });

  test("retry starts an ended job anew under its id, secrets and log included", async () => {
    const db = await backend.open({ secretKey: SECRET_KEY });
    const job = await putRunning(db, { secrets: { token: "t" } });
    await expect(retry(db, acme, job.id)).rejects.toMatchObject({ code: "invalid_transition" });
    await fail(db, { ...job, code: "x", message: "x", retryable: false });
    expect(await retry(db, acme, job.id)).toMatchObject({ status: "queued", error: null, completedAt: null });
    const [again] = await lease(db, take);
    expect(again).toMatchObject({ id: job.id, fence: 2 });
    expect(await openSecrets(db, job.id)).toEqual({ token: "t" });
    await succeed(db, attempt(again));
    expect(await openSecrets(db, job.id)).toBeNull();
    const life = ["queued", "leased", "failed", "queued", "leased", "committing", "succeeded"];
    expect(await types(db, job.id)).toEqual(life);
  });
});

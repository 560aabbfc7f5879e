import { expect, test } from "bun:test";
import { isTerminal } from "@cartoon/protos/job-status";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, receipt, speechSpec } from "../../test/factories.ts";
import {
  type Attempt,
  beginCommit,
  cancel,
  commit,
  confirmCancel,
  countJobs,
  type Database,
  deleteJob,
  deleteOldJobs,
  type EnqueueInput,
  enqueueStoryboard,
  eventsAfter,
  expiredResults,
  fail,
  forgetResults,
  getJob,
  getStoryboard,
  type Job,
  lease,
  listJobs,
  listStoryboards,
  queueLoad,
  retry,
  shotResults,
  wantsPartial,
} from "../index.ts";

const acme = { tenant: "acme" };
const take = { edgeId: "edge-1", nodeId: "node-1", leaseMs: 10_000 };
const clip = {
  name: "clip.mp4",
  contentType: "video/mp4",
  bytes: 5_000,
  sha256: "ab".repeat(32),
  width: 256,
  height: 256,
  seconds: 2.5,
};

const joinSpec = (shotIds: string[]) =>
  ({
    pack: "",
    output: { formats: ["mp4"], fit: "pingpong", captions: true },
    deterministic: false,
    join: {
      shots: shotIds.map((job_id) => ({ job_id })),
      transitions: shotIds.slice(1).map(() => ({ type: "cut", seconds: 0 })),
      ...{ width: 256, height: 256, fps: 8, title: "", spoken: false },
    },
  }) as EnqueueInput["spec"];

function put(db: Database, shots = 3, more: Partial<EnqueueInput> = {}) {
  const shot = { tenant: "acme", dialect: "shot", spec: speechSpec() };
  return enqueueStoryboard(db, {
    board: { tenant: "acme", specOf: joinSpec, fingerprint: "f", ...more },
    shots: Array.from({ length: shots }, () => shot),
  });
}

const attemptOf = ({ id, fence }: Job): Attempt => ({ id, fence });

async function leaseOne(db: Database): Promise<Job> {
  const [job] = await lease(db, take);
  if (!job) throw new Error("nothing waits");
  return job;
}

async function succeed(db: Database, job: Job): Promise<void> {
  await beginCommit(db, attemptOf(job), 10_000);
  const results = [{ ...clip, storageKey: `renders/${job.id}/a1/clip.mp4` }];
  await commit(db, attemptOf(job), { results, receipt: receipt() });
}

const break_ = (db: Database, job: Job) =>
  fail(db, { ...attemptOf(job), code: "invalid_spec", message: "no such colour", retryable: false });

async function log(db: Database, id: string) {
  const events = await eventsAfter(db, id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
  return events.map(({ type, data }) => (type === "shot" ? `${data.shot} ${data.status}` : type));
}

onEachDatabase("storyboards", (backend) => {
  test("the join waits for its shots, and is queued with the last of them", async () => {
    const db = await backend.open();
    const { job, created } = await put(db);
    expect([created, job.status, job.dialect]).toEqual([true, "queued", "storyboard"]);
    expect((await listJobs(db, acme, { status: "queued" })).jobs).toHaveLength(4);
    expect(await countJobs(db, acme)).toMatchObject({ queued: 4 });
    expect(await queueLoad(db)).toMatchObject({ queued: 3 });
    const shots = await lease(db, { ...take, count: 9 });
    expect(shots.map(({ id }) => id)).not.toContain(job.id);
    expect(shots).toHaveLength(3);
    for (const [index, shot] of shots.entries()) {
      expect(await lease(db, take)).toEqual([]);
      await succeed(db, shot);
      const { board } = await getStoryboard(db, acme, job.id);
      expect(board.progress).toBeCloseTo((0.95 * (index + 1)) / 3);
    }
    const join = await leaseOne(db);
    expect(join).toMatchObject({ id: job.id, attempt: 1 });
    const found = await getStoryboard(db, acme, job.id);
    expect(join.spec.join?.shots).toEqual(found.shots.map(({ id }) => ({ job_id: id })));
    expect((await shotResults(db, job.id)).map(({ results }) => results[0]?.name)).toEqual(
      Array.from({ length: 3 }, () => "clip.mp4"),
    );
    await succeed(db, join);
    expect(await log(db, job.id)).toEqual([
      ...["queued", "0 running", "1 running", "2 running"],
      ...["0 succeeded", "1 succeeded", "2 succeeded", "shots_done"],
      ...["leased", "committing", "succeeded"],
    ]);
    expect(await getStoryboard(db, acme, job.id)).toMatchObject({
      board: { status: "succeeded", progress: 1, results: [{ name: "clip.mp4" }] },
      waiting: false,
    });
  });

  test("a failed shot ends it once all have ended; a retry makes that shot alone again", async () => {
    const db = await backend.open();
    const { job } = await put(db);
    const [first, second, third] = await lease(db, { ...take, count: 3 });
    if (!first || !second || !third) throw new Error("three shots");
    await succeed(db, first);
    await break_(db, second);
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "queued", error: null });
    await succeed(db, third);
    const { board } = await getStoryboard(db, acme, job.id);
    expect(board).toMatchObject({ status: "failed", error: { code: "shot_failed" } });
    expect(board.error?.message).toBe(`shot 2 of 3 (${second.id}) failed: no such colour`);

    expect(await retry(db, acme, job.id)).toMatchObject({ status: "queued", error: null });
    const again = await lease(db, { ...take, count: 9 });
    expect(again.map(({ id }) => id)).toEqual([second.id]);
    for (const shot of again) await succeed(db, shot);
    await succeed(db, await leaseOne(db));
    expect(await log(db, job.id)).toEqual([
      ...["queued", "0 running", "1 running", "2 running"],
      ...["0 succeeded", "1 failed", "2 succeeded", "failed"],
      ...["queued", "1 queued", "1 running", "1 succeeded", "shots_done"],
      ...["leased", "committing", "succeeded"],
    ]);
  });

  test("a shot that is retried by itself opens its storyboard again", async () => {
    const db = await backend.open();
    const { job } = await put(db, 1);
    const shot = await leaseOne(db);
    await break_(db, shot);
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "failed" });
    await retry(db, acme, shot.id);
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "queued", completedAt: null });
    await succeed(db, await leaseOne(db));
    expect((await leaseOne(db)).id).toBe(job.id);
  });

  test("a failed join is tried again without its shots, unless their results are gone", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { job } = await put(db, 2, { resultsTtlMs: 60_000 });
    for (const shot of await lease(db, { ...take, count: 2 })) await succeed(db, shot);
    advance(120_000);
    expect(await expiredResults(db)).toEqual([]);
    await break_(db, await leaseOne(db));
    expect(await getJob(db, acme, job.id)).toMatchObject({
      status: "failed",
      error: { code: "invalid_spec" },
    });
    await retry(db, acme, job.id);
    const join = await leaseOne(db);
    expect([join.id, await lease(db, take)]).toEqual([job.id, []]);
    await break_(db, join);
    advance(60_000);
    const gone = (await expiredResults(db)).map(({ jobId }) => jobId);
    expect(gone).toHaveLength(2);
    await forgetResults(db, gone);
    await retry(db, acme, job.id);
    const shots = await lease(db, { ...take, count: 9 });
    expect(shots.map(({ id }) => id).sort()).toEqual(gone.sort());
    for (const shot of shots) await succeed(db, shot);
    await succeed(db, await leaseOne(db));
    advance(60_000);
    expect(await expiredResults(db)).toHaveLength(3);
  });

  test("cancel ends the shots that wait, asks those that run, and ends with the last of them", async () => {
    const db = await backend.open();
    const { job } = await put(db);
    const running = await leaseOne(db);
    const asked = await cancel(db, acme, job.id);
    expect(asked.status).toBe("queued");
    expect(asked.cancelRequestedAt).not.toBeNull();
    await cancel(db, acme, job.id);
    expect(await lease(db, take)).toEqual([]);
    await expect(retry(db, acme, job.id)).rejects.toMatchObject({ code: "invalid_transition" });
    await confirmCancel(db, attemptOf(running), receipt());
    const { board, shots } = await getStoryboard(db, acme, job.id);
    expect([board.status, ...shots.map(({ status }) => status)]).toEqual(Array(4).fill("canceled"));
    expect((await log(db, job.id)).slice(2)).toEqual([
      ...["cancel_requested", "1 canceled", "2 canceled", "0 canceled", "canceled"],
    ]);
    await retry(db, acme, job.id);
    expect(await lease(db, { ...take, count: 9 })).toHaveLength(3);
  });

  test("what a canceled shot leaves expires with its storyboard", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { job } = await put(db, 2, { resultsTtlMs: 60_000 });
    const running = await leaseOne(db);
    await cancel(db, acme, job.id, { partial: true });
    expect(wantsPartial(await getJob(db, acme, running.id))).toBe(true);
    const left = [{ ...clip, storageKey: `renders/${running.id}/a1/partial-clip.mp4` }];
    await confirmCancel(db, attemptOf(running), receipt(), left);
    expect((await getStoryboard(db, acme, job.id)).shots[0]?.results).toHaveLength(1);
    expect(await expiredResults(db)).toEqual([]);
    advance(60_000);
    expect((await expiredResults(db)).map(({ jobId }) => jobId)).toContain(running.id);
  });

  test("a join that runs is canceled as any job", async () => {
    const db = await backend.open();
    const { job } = await put(db, 1);
    await succeed(db, await leaseOne(db));
    const join = await leaseOne(db);
    expect(join.id).toBe(job.id);
    await cancel(db, acme, job.id);
    // It is its node's until that has stopped.
    expect(isTerminal((await getJob(db, acme, job.id)).status)).toBe(false);
    await confirmCancel(db, attemptOf(join), receipt());
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "canceled" });
    expect((await getStoryboard(db, acme, job.id)).shots.map(({ status }) => status)).toEqual(["succeeded"]);
    expect(await lease(db, { ...take, count: 9 })).toEqual([]);
  });

  test("shots that end in several processes at once settle it once", async () => {
    const url = await backend.createUrl();
    const edges = await Promise.all([backend.connect(url), backend.connect(url), backend.connect(url)]);
    const [db] = edges;
    if (!db) throw new Error("three edges");
    const { job } = await put(db, 12);
    const shots = await lease(db, { ...take, count: 12 });
    await Promise.all(
      shots.map((shot, i) =>
        i % 5 === 4 ? break_(edges[i % 3] ?? db, shot) : succeed(edges[i % 3] ?? db, shot),
      ),
    );
    expect(await getJob(db, acme, job.id)).toMatchObject({ status: "failed" });
    await retry(db, acme, job.id);
    const again = await lease(db, { ...take, count: 12 });
    expect(again).toHaveLength(2);
    const cancels = [
      cancel(edges[1] ?? db, acme, job.id),
      ...again.map((shot) => succeed(edges[2] ?? db, shot)),
    ];
    await Promise.allSettled(cancels);
    // The cancel comes before the last shot, or finds the join in the queue.
    const events = await log(db, job.id);
    expect(events.filter((type) => type === "failed" || type === "canceled")).toEqual(["failed", "canceled"]);
    expect(events.at(-1)).toBe("canceled");
  });

  test("same key, same storyboard; another request is refused; a full queue takes nothing", async () => {
    const db = await backend.open();
    const first = await put(db, 2, { idempotencyKey: "k" });
    const second = await put(db, 2, { idempotencyKey: "k" });
    expect([second.created, second.job.id]).toEqual([false, first.job.id]);
    const other = put(db, 2, { idempotencyKey: "k", fingerprint: "g" });
    await expect(other).rejects.toMatchObject({ code: "idempotency_mismatch" });
    expect((await listJobs(db, acme)).jobs).toHaveLength(3);
    const full = put(db, 2, { limits: { tenantQueued: 2 } });
    await expect(full).rejects.toMatchObject({ code: "tenant_queue_full" });
    expect((await listJobs(db, acme)).jobs).toHaveLength(3);
  });

  test("other tenants see nothing; the list comes page by page", async () => {
    const db = await backend.open();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await put(db, 2)).job.id);
    const other = { tenant: "other" };
    for (const id of ids)
      await expect(getStoryboard(db, other, id)).rejects.toMatchObject({ code: "not_found" });
    expect((await listStoryboards(db, other)).storyboards).toEqual([]);
    const first = await listStoryboards(db, acme, { limit: 2, status: "queued" });
    const rest = await listStoryboards(db, acme, { limit: 2, cursor: first.nextCursor ?? "" });
    const all = [...first.storyboards, ...rest.storyboards];
    expect(all.map(({ board }) => board.id).sort()).toEqual(ids.sort());
    expect(all.map(({ shots }) => shots.length)).toEqual([2, 2, 2]);
    expect(rest.nextCursor).toBeNull();
    const shot = all[0]?.shots[0]?.id ?? "";
    await expect(getStoryboard(db, acme, shot)).rejects.toMatchObject({ code: "not_found" });
  });

  test("shots are deleted with their storyboard, and not without it", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { job } = await put(db, 2);
    const shots = await lease(db, { ...take, count: 2 });
    for (const shot of shots) await succeed(db, shot);
    await expect(deleteJob(db, acme, shots[0]?.id ?? "")).rejects.toMatchObject({
      code: "invalid_transition",
    });
    advance(1_000);
    expect(await deleteOldJobs(db, clock())).toEqual([]);
    await succeed(db, await leaseOne(db));
    const deleted = await deleteJob(db, acme, job.id);
    expect(deleted.shots?.sort()).toEqual(shots.map(({ id }) => id).sort());
    expect(deleted.storageKeys).toHaveLength(3);
    expect((await listJobs(db, acme)).jobs).toEqual([]);
    await put(db, 1);
    await succeed(db, await leaseOne(db));
    await succeed(db, await leaseOne(db));
    advance(1_000);
    expect(await deleteOldJobs(db, clock())).toHaveLength(2);
  });
});

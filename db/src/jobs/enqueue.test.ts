import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, put, putRunning, SECRET_KEY, speechSpec } from "../../test/factories.ts";
import { enqueueMany, eventsAfter, getJob, isVerbError, openSecrets } from "../index.ts";

const acme = { tenant: "acme" };

onEachDatabase("enqueue", (backend) => {
  test("a job is there with its spec and its first event", async () => {
    const db = await backend.open();
    const text = 'Grüße 🌶 \u0000 \ud800 "quoted" \\ \' ; drop table jobs;--';
    const { job, created } = await put(db, {
      spec: speechSpec(text),
      extras: { input: { a: [1, null] } },
      work: 1.5,
    });
    expect(created).toBe(true);
    expect(job.id).toMatch(/^job_[0-9a-hjkmnp-tv-z]{26}$/);
    const read = await getJob(db, acme, job.id);
    expect(read).toEqual({ ...job, results: [] });
    expect(read.spec.speech?.lines[0]?.text).toBe(text);
    expect(read.extras).toEqual({ input: { a: [1, null] } });
    const events = await eventsAfter(db, job.id);
    expect(events.map(({ seq, type }) => [seq, type])).toEqual([[1, "queued"]]);
  });

  test("an idempotency key gives the same job, and another request under it is refused", async () => {
    const db = await backend.open();
    const first = await put(db, { idempotencyKey: "k1" });
    const again = await put(db, { idempotencyKey: "k1" });
    expect(again).toEqual({ job: first.job, created: false });
    const other = put(db, { idempotencyKey: "k1", spec: speechSpec("[S1] Something else") });
    await expect(other).rejects.toMatchObject({ code: "idempotency_mismatch" });
    const elsewhere = await put(db, { idempotencyKey: "k1", tenant: "other" });
    expect(elsewhere.created).toBe(true);
  });

  test("the fingerprint of the request decides, not the spec with its random seed", async () => {
    const db = await backend.open();
    const first = await put(db, { idempotencyKey: "k", fingerprint: "f", spec: speechSpec("one") });
    const again = await put(db, { idempotencyKey: "k", fingerprint: "f", spec: speechSpec("two") });
    expect(again.job.id).toBe(first.job.id);
  });

  test("a key is forgotten after its time", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const first = await put(db, { idempotencyKey: "k", idempotencyTtlMs: 1_000 });
    advance(1_001);
    const later = await put(db, { idempotencyKey: "k", spec: speechSpec("new") });
    expect(later.created).toBe(true);
    expect(later.job.id).not.toBe(first.job.id);
  });

  test("requests with one key at the same time, also over several connections, make one job", async () => {
    const url = await backend.createUrl();
    const databases = await Promise.all([backend.connect(url), backend.connect(url)]);
    const calls = Array.from({ length: 40 }, (_, i) =>
      put(databases[i % 2] ?? databases[0], { idempotencyKey: "same" }),
    );
    const answers = await Promise.all(calls);
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
    expect(answers.filter(({ created }) => created).length).toBe(1);
  });

  test("a client may choose the id; tenants don't meet in it", async () => {
    const db = await backend.open();
    const mine = await put(db, { alias: "my-clip" });
    expect(mine.job.alias).toBe("my-clip");
    expect((await put(db, { alias: "my-clip" })).job.id).toBe(mine.job.id);
    await expect(put(db, { alias: "my-clip", spec: speechSpec("x") })).rejects.toMatchObject({
      code: "id_taken",
    });
    const theirs = await put(db, { alias: "my-clip", tenant: "other", spec: speechSpec("x") });
    expect(theirs.created).toBe(true);
    expect((await getJob(db, acme, "my-clip")).id).toBe(mine.job.id);
    expect((await getJob(db, { tenant: "other" }, "my-clip")).id).toBe(theirs.job.id);
    expect((await put(db, { alias: mine.job.id })).job.id).toBe(mine.job.id);
    await expect(put(db, { alias: "../etc/passwd" })).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("limits of a tenant and of the whole queue", async () => {
    const db = await backend.open();
    const limits = { tenantQueued: 2, globalQueued: 3 };
    await put(db, { limits });
    await put(db, { limits });
    await expect(put(db, { limits })).rejects.toMatchObject({
      code: "tenant_queue_full",
      details: { limit: 2 },
    });
    await put(db, { limits, tenant: "other" });
    await expect(put(db, { limits, tenant: "third" })).rejects.toMatchObject({ code: "queue_full" });
    await expect(put(db, { limits: { globalQueued: 3 } })).rejects.toMatchObject({ code: "queue_full" });
  });

  test("each key of a tenant has a limit of its own", async () => {
    const db = await backend.open();
    const limits = { tenantQueued: 1 };
    await put(db, { limits, keyId: "key_a" });
    await put(db, { limits, keyId: "key_b" });
    await put(db, { limits });
    for (const keyId of ["key_a", "key_b", undefined])
      await expect(put(db, { limits, keyId })).rejects.toMatchObject({ code: "tenant_queue_full" });
  });

  test("a full queue takes jobs again once one has left", async () => {
    const db = await backend.open();
    const limits = { globalQueued: 1 };
    await putRunning(db, { limits });
    await put(db, { limits });
    await expect(put(db, { limits })).rejects.toMatchObject({ code: "queue_full" });
  });

  test("a batch takes each by itself", async () => {
    const db = await backend.open();
    const input = { tenant: "acme", spec: speechSpec(), limits: { tenantQueued: 2 } };
    const outcomes = await enqueueMany(db, [
      { ...input, idempotencyKey: "a" },
      { ...input, idempotencyKey: "a" },
      { ...input, alias: "not/an/id" },
      { ...input, idempotencyKey: "a", spec: speechSpec("other") },
      input,
      input,
    ]);
    const shown = outcomes.map((outcome) => (isVerbError(outcome) ? outcome.code : outcome.created));
    expect(shown).toEqual([true, false, "invalid_input", "idempotency_mismatch", true, "tenant_queue_full"]);
  });

  test("a full queue still finds the job that a repeated request has made", async () => {
    const db = await backend.open();
    const limits = { globalQueued: 1 };
    const { job } = await put(db, { idempotencyKey: "a", limits });
    expect(await put(db, { idempotencyKey: "a", limits })).toEqual({ job, created: false });
    await expect(put(db, { idempotencyKey: "b", limits })).rejects.toMatchObject({ code: "queue_full" });
  });

  test("a job is the same whichever way it comes in", async () => {
    const { clock } = manualClock();
    const db = await backend.open({ clock });
    const input = {
      queueTtlMs: 5_000,
      executionTimeoutMs: 6_000,
      resultsTtlMs: 7_000,
      work: 2.5,
      keyId: "key_1",
    };
    const differing = { id: "", alias: null };
    const seen = async (id: string) => ({ ...(await getJob(db, acme, id)), ...differing });
    const { job: plain } = await put(db, { ...input, extras: { a: [1, "é"] }, idempotencyKey: "k" });
    // An id of one's own takes more than one statement on Postgres.
    const { job: named } = await put(db, { ...input, extras: { a: [1, "é"] }, alias: "mine" });
    expect({ ...plain, ...differing }).toEqual({ ...named, ...differing });
    expect(await seen(plain.id)).toEqual(await seen(named.id));
    expect(await eventsAfter(db, plain.id)).toEqual(
      (await eventsAfter(db, named.id)).map((event) => ({ ...event, jobId: plain.id })),
    );
  });

  test("many at once are all there, each once", async () => {
    const db = await backend.open();
    const jobs = await Promise.all(
      Array.from({ length: 500 }, (_, i) => put(db, { spec: speechSpec(`line ${i}`) })),
    );
    const ids = new Set(jobs.map(({ job }) => job.id));
    expect(ids.size).toBe(500);
    for (const { job } of jobs.slice(0, 20)) expect((await getJob(db, acme, job.id)).spec).toEqual(job.spec);
  });

  test("secrets are sealed, bound to their job, and need a key", async () => {
    const db = await backend.open({ secretKey: SECRET_KEY });
    const secrets = { accessSecret: "hunter2-hunter2" };
    const { job } = await put(db, { secrets });
    expect(await openSecrets(db, job.id)).toEqual(secrets);
    expect(job.hasSecrets).toBe(true);
    expect(JSON.stringify(await getJob(db, acme, job.id))).not.toContain("hunter2");
    const open = await backend.open();
    await expect(put(open, { secrets })).rejects.toMatchObject({ code: "secret_key_missing" });
  });
});

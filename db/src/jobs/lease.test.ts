import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, put, putRunning, receipt, speechSpec } from "../../test/factories.ts";
import {
  beginCommit,
  commit,
  confirmCancel,
  enqueueMany,
  fail,
  getJob,
  lease,
  peekQueue,
  renew,
  report,
  sweep,
} from "../index.ts";

const acme = { tenant: "acme" };
const take = { edgeId: "edge-1", leaseMs: 10_000 };

onEachDatabase("lease", (backend) => {
  test("gives each job once, with a fence that grows", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { job } = await put(db);
    const [first] = await lease(db, { ...take, nodeId: "node-1" });
    expect(first).toMatchObject({ id: job.id, status: "running", attempt: 1, fence: 1, nodeId: "node-1" });
    expect(await lease(db, take)).toEqual([]);
    advance(10_000);
    expect((await sweep(db)).expiredLeases).toEqual([job.id]);
    const [second] = await lease(db, take);
    expect(second).toMatchObject({ id: job.id, attempt: 2, fence: 2 });
  });

  test("refuses everything from a stale fence", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const old = await putRunning(db);
    advance(10_001);
    await sweep(db);
    await lease(db, take);
    const stale = { code: "stale_fence" };
    await expect(renew(db, old, 1_000)).rejects.toMatchObject(stale);
    await expect(report(db, { ...old, events: [{ type: "log", data: {} }] })).rejects.toMatchObject(stale);
    await expect(beginCommit(db, old, 1_000)).rejects.toMatchObject(stale);
    await expect(commit(db, old, { results: [], receipt: receipt() })).rejects.toMatchObject(stale);
    await expect(fail(db, { ...old, code: "x", message: "x", retryable: true })).rejects.toMatchObject(stale);
    await expect(confirmCancel(db, old, null)).rejects.toMatchObject(stale);
    expect((await getJob(db, acme, old.id)).status).toBe("running");
  });

  test("a renewed lease does not expire", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const job = await putRunning(db);
    advance(9_000);
    expect(await renew(db, job, 10_000)).toMatchObject({ cancelRequested: false });
    advance(9_000);
    expect(await sweep(db)).toEqual({ expiredLeases: [], timedOut: [] });
  });

  test("high before normal before low, then the order of arrival", async () => {
    const db = await backend.open();
    const ids: string[] = [];
    for (const priority of ["low", "normal", "high", "normal"] as const) {
      ids.push((await put(db, { priority })).job.id);
    }
    const order = [2, 1, 3, 0].map((i) => ids[i] ?? "");
    const peeked = await peekQueue(db, 10);
    const leased = await lease(db, { ...take, count: 10 });
    expect(peeked.map(({ id }) => id)).toEqual(order);
    expect(leased.map(({ id }) => id)).toEqual(order);
  });

  test("tenants take turns, however much one of them has waiting", async () => {
    const db = await backend.open();
    for (let i = 0; i < 6; i++) await put(db, { tenant: "big" });
    const early = await lease(db, { ...take, count: 2 });
    for (let i = 0; i < 3; i++) await put(db, { tenant: "small" });
    const rest = await lease(db, { ...take, count: 10 });
    expect(early.map(({ tenant }) => tenant)).toEqual(["big", "big"]);
    const turns = rest.map(({ tenant }) => tenant);
    expect(turns.slice(0, 6).filter((tenant) => tenant === "small").length).toBe(3);
    expect(turns.slice(0, 6).filter((tenant) => tenant === "big").length).toBe(3);
    expect(turns[6]).toBe("big");
  });

  test("so do keys of one tenant; what came without a key takes the tenant's turn", async () => {
    const db = await backend.open();
    for (let i = 0; i < 6; i++) await put(db, { keyId: "key_big" });
    await lease(db, { ...take, count: 1 });
    for (let i = 0; i < 2; i++) await put(db, { keyId: "key_small" });
    for (let i = 0; i < 2; i++) await put(db);
    const turns = (await lease(db, { ...take, count: 6 })).map(({ keyId }) => keyId);
    expect(turns.toSorted()).toEqual(["key_big", "key_big", "key_small", "key_small", null, null].toSorted());
  });

  test("many that come at once take turns all the same", async () => {
    const db = await backend.open();
    const inputs = [..."aaaaaaaabb"].map((key) => ({
      tenant: "acme",
      spec: speechSpec(),
      keyId: `key_${key}`,
    }));
    await enqueueMany(db, inputs);
    const turns = (await lease(db, { ...take, count: 4 })).map(({ keyId }) => keyId);
    expect(turns.toSorted()).toEqual(["key_a", "key_a", "key_b", "key_b"]);
  });

  test("a tenant that was idle has saved up nothing", async () => {
    const db = await backend.open();
    for (let i = 0; i < 5; i++) await put(db, { tenant: "busy" });
    await lease(db, { ...take, count: 5 });
    for (let i = 0; i < 3; i++) await put(db, { tenant: "idle" });
    for (let i = 0; i < 3; i++) await put(db, { tenant: "busy" });
    const turns = (await lease(db, { ...take, count: 4 })).map(({ tenant }) => tenant);
    expect(turns.filter((tenant) => tenant === "busy").length).toBe(2);
  });

  test("only of the packs, or the jobs, that were asked for", async () => {
    const db = await backend.open();
    const sdxl = await put(db, { spec: { ...speechSpec(), pack: "sdxl" } });
    const toon = await put(db);
    expect(await lease(db, { ...take, packs: ["sd15"] })).toEqual([]);
    expect((await lease(db, { ...take, packs: ["sd15", "toon"] })).map(({ id }) => id)).toEqual([
      toon.job.id,
    ]);
    expect((await lease(db, { ...take, ids: [sdxl.job.id] })).map(({ id }) => id)).toEqual([sdxl.job.id]);
  });

  test("many takers at once, over several connections, never get the same job", async () => {
    const url = await backend.createUrl();
    const databases = await Promise.all([1, 2, 3].map(() => backend.connect(url)));
    const [db] = databases;
    if (!db) throw new Error("no database");
    await Promise.all(Array.from({ length: 60 }, () => put(db)));
    const taken = await Promise.all(
      Array.from({ length: 30 }, (_, i) => lease(databases[i % 3] ?? db, { ...take, count: 3 })),
    );
    const ids = taken.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await lease(db, { ...take, count: 100 });
    expect(ids.length + rest.length).toBe(60);
  });
});

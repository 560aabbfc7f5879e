import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, putRunning, receipt } from "../../test/factories.ts";
import { fail, listUsage, takeRate, usageToday } from "../index.ts";

onEachDatabase("limits and usage", (backend) => {
  test("a limit is shared between edges and never exceeded", async () => {
    const { clock, advance } = manualClock();
    const url = await backend.createUrl();
    const edges = [await backend.connect(url, { clock }), await backend.connect(url, { clock })];
    const rate = { bucket: "requests:key_1", limit: 50, windowMs: 60_000 };
    const take = async (i: number) => {
      const [first, second] = edges;
      if (!first || !second) throw new Error("no database");
      return takeRate(i % 2 ? first : second, rate);
    };
    const answers = await Promise.all(Array.from({ length: 120 }, (_, i) => take(i)));
    expect(answers.filter(({ allowed }) => allowed).length).toBe(50);
    expect(answers.every(({ remaining }) => remaining >= 0 && remaining < 50)).toBe(true);
    expect(await take(0)).toEqual({ allowed: false, limit: 50, remaining: 0, resetMs: 60_000 });
    advance(60_000);
    expect(await take(0)).toMatchObject({ allowed: true, remaining: 49 });
    advance(45_000);
    expect(await take(1)).toMatchObject({ allowed: true, resetMs: 15_000 });
  });

  test("buckets don't touch each other; a limit of zero lets nothing through", async () => {
    const db = await backend.open();
    const rate = { limit: 1, windowMs: 60_000 };
    expect((await takeRate(db, { ...rate, bucket: "a" })).allowed).toBe(true);
    expect((await takeRate(db, { ...rate, bucket: "a" })).allowed).toBe(false);
    expect((await takeRate(db, { ...rate, bucket: "b" })).allowed).toBe(true);
    expect((await takeRate(db, { ...rate, limit: 0, bucket: "c" })).allowed).toBe(false);
  });

  test("device seconds add up by tenant and day, over failed attempts too", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const failure = { code: "x", message: "x", retryable: false };
    for (const seconds of [1.5, 2])
      await fail(db, { ...(await putRunning(db)), ...failure, receipt: receipt(seconds) });
    await fail(db, { ...(await putRunning(db, { tenant: "other" })), ...failure, receipt: receipt(9) });
    expect(await usageToday(db, "acme")).toMatchObject({
      jobs: 2,
      deviceSeconds: 3.5,
      resetMs: 12 * 3_600_000,
    });
    advance(12 * 3_600_000);
    expect(await usageToday(db, "acme")).toMatchObject({ jobs: 0, deviceSeconds: 0 });
    await fail(db, { ...(await putRunning(db)), ...failure, receipt: receipt(1) });
    const days = await listUsage(db, "acme");
    expect(days.map(({ day, deviceSeconds }) => [day, deviceSeconds])).toEqual([
      ["2026-11-27", 1],
      ["2026-11-26", 3.5],
    ]);
  });

  test("a passing failure is paid for as well", async () => {
    const db = await backend.open();
    const job = await putRunning(db);
    await fail(db, { ...job, code: "x", message: "x", retryable: true, receipt: receipt(4) });
    expect(await usageToday(db, "acme")).toMatchObject({ jobs: 0, deviceSeconds: 4 });
  });
});

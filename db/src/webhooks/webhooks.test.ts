import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, put, putRunning, SECRET_KEY } from "../../test/factories.ts";
import {
  cancel,
  createWebhook,
  deleteWebhook,
  fail,
  leaseDeliveries,
  listDeliveries,
  listWebhooks,
  recordDelivery,
  replayDelivery,
  report,
} from "../index.ts";

const acme = { tenant: "acme" };
const url = "https://example.org/hook";
const failed = { statusCode: 500, milliseconds: 12, error: "answered 500", delivered: false };

onEachDatabase("webhooks", (backend) => {
  test("a job's target hears of its end, and of other events when it asks", async () => {
    const db = await backend.open({ secretKey: SECRET_KEY });
    const events = ["progress", "canceled"];
    const job = await putRunning(db, {
      webhooks: [
        { url, secret: "whsec_abc" },
        { url: `${url}/2`, events, style: "cog" },
      ],
    });
    await report(db, {
      ...job,
      events: [
        { type: "log", data: {} },
        { type: "progress", data: { step: 3 } },
      ],
    });
    const [progress] = await leaseDeliveries(db, 10, 1_000);
    expect(progress).toMatchObject({
      url: `${url}/2`,
      style: "cog",
      event: "progress",
      eventSeq: 4,
      secret: null,
    });
    expect(progress?.data).toEqual({ step: 3 });
    await cancel(db, acme, job.id);
    await fail(db, { ...job, code: "x", message: "x", retryable: true });
    const ended = await leaseDeliveries(db, 10, 1_000);
    expect(ended.map((one) => [one.url, one.event, one.secret])).toContainEqual([
      url,
      "canceled",
      "whsec_abc",
    ]);
    expect(ended.length).toBe(2);
  });

  test("a tenant's standing webhook hears of that tenant's jobs", async () => {
    const db = await backend.open({ secretKey: SECRET_KEY });
    const { webhook, secret } = await createWebhook(db, "acme", { url });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/=]{44}$/);
    expect(await listWebhooks(db, "acme")).toEqual([webhook]);
    expect(await listWebhooks(db, "other")).toEqual([]);
    await cancel(db, acme, (await put(db)).job.id);
    await cancel(db, { tenant: "other" }, (await put(db, { tenant: "other" })).job.id);
    expect(await leaseDeliveries(db, 10, 1_000)).toMatchObject([
      { tenant: "acme", event: "canceled", secret },
    ]);
    await expect(deleteWebhook(db, "other", webhook.id)).rejects.toMatchObject({ code: "not_found" });
    await deleteWebhook(db, "acme", webhook.id);
    await cancel(db, acme, (await put(db)).job.id);
    expect(await leaseDeliveries(db, 10, 1_000)).toEqual([]);
  });

  test("failed deliveries are tried again by plan, given up, logged and replayed", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const { job } = await put(db, { webhooks: [{ url }] });
    await cancel(db, acme, job.id);
    const [first] = await leaseDeliveries(db, 10, 30_000);
    const id = first?.id ?? "";
    expect(await leaseDeliveries(db, 10, 30_000)).toEqual([]);
    await recordDelivery(db, { id, ...failed, retryInMs: 5_000 });
    expect(await leaseDeliveries(db, 10, 30_000)).toEqual([]);
    advance(5_000);
    expect(await leaseDeliveries(db, 10, 30_000)).toMatchObject([{ id, attempts: 1 }]);
    await recordDelivery(db, { id, ...failed, statusCode: null, retryInMs: null });
    expect(await listDeliveries(db, "acme", { jobId: job.id })).toMatchObject([
      {
        id,
        status: "failed",
        attempts: 2,
        log: [
          { attempt: 1, statusCode: 500 },
          { attempt: 2, statusCode: null },
        ],
      },
    ]);
    expect(await listDeliveries(db, "other")).toEqual([]);
    await expect(replayDelivery(db, "other", id)).rejects.toMatchObject({ code: "not_found" });
    await replayDelivery(db, "acme", id);
    expect((await leaseDeliveries(db, 10, 30_000)).length).toBe(1);
    await recordDelivery(db, { id, delivered: true, statusCode: 204, milliseconds: 3, retryInMs: null });
    advance(100_000);
    expect(await leaseDeliveries(db, 10, 30_000)).toEqual([]);
    expect(await listDeliveries(db, "acme")).toMatchObject([{ status: "delivered", attempts: 3 }]);
  });

  test("a delivery whose sender died is due again", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    await cancel(db, acme, (await put(db, { webhooks: [{ url }] })).job.id);
    await leaseDeliveries(db, 10, 30_000);
    advance(30_000);
    expect((await leaseDeliveries(db, 10, 30_000)).length).toBe(1);
  });
});

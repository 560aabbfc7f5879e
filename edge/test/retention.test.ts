import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { openDatabase } from "@cartoon/db";
import { FolderStore } from "../src/store/folder.ts";
import { sweepExpired } from "../src/store/sweeper.ts";
import { sleep, startHarness } from "./harness.ts";

const h = await startHarness({ env: { CARTOON_RETENTION_SECONDS: "2" } });
afterAll(() => h.stop());

test("results are kept until `expires_at`, signed anew at every read, and are gone afterwards", async () => {
  const { body } = await h.call("POST", "/v1/renders", { prompt: "temo waves" });
  const done = await h.finished(body.id);
  const [result] = done.results;
  const until = Date.parse(result?.expires_at ?? "");
  expect(until).toBeGreaterThan(Date.parse(done.completed_at ?? "") + 1_000);
  expect(result?.expires_at).toBe(done.results_expire_at);
  const status = async (url: string | undefined) => (await fetch(url ?? "", { redirect: "manual" })).status;
  expect(await status(result?.url)).toBe(200);
  await sleep(1_100);
  const again = (await h.call("GET", `/v1/renders/${body.id}`)).body.results[0];
  expect(again.url).not.toBe(result?.url);
  expect(await status(again.url)).toBe(200);

  await sleep(Math.max(0, until - Date.now()) + 20);
  const db = await openDatabase(join(h.dataDir, "cartoon.db"));
  const folder = join(h.dataDir, "store");
  const store = new FolderStore({ folder, secret: "of no use here", internalOrigin: () => "" });
  expect(await sweepExpired(db, store)).toBe(1);
  expect(await sweepExpired(db, store)).toBe(0);
  await db.close();
  expect(await status(again.url)).toBe(404);
  const gone = await h.call("GET", `/v1/renders/${body.id}/results/${result?.name}`);
  expect([gone.status, gone.body.code]).toEqual([410, "gone"]);
  const read = await h.call("GET", `/v1/renders/${body.id}`);
  expect([read.body.status, read.body.results, read.body.spec.clip.prompt]).toEqual([
    "succeeded",
    [],
    "temo waves",
  ]);
});

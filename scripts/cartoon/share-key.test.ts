import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase, verifyKey } from "@cartoon/db";
import { shareKey } from "./share-key.ts";

const folder = await mkdtemp(join(tmpdir(), "cartoon-share-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

test("--share makes a key for a day where there is none, and no second one", async () => {
  const [reach, line = ""] = await shareKey(folder);
  expect(reach).toContain("this network only");
  const token = /ck_\S+$/.exec(line)?.[0] ?? "";
  const db = await openDatabase(`sqlite:${join(folder, "cartoon.db")}`);
  const key = await verifyKey(db, token);
  await db.close();
  expect(key).toMatchObject({ tenant: "default", name: "share", scopes: ["render", "read", "cancel"] });
  const hours = ((key?.expiresAt ?? 0) - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(23);
  expect(hours).toBeLessThanOrEqual(24);
  expect(await shareKey(folder)).toEqual([reach ?? "", expect.stringContaining("with one of 1 API keys")]);
});

import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock } from "../../test/factories.ts";
import { createKey, listKeys, openDatabase, revokeKey, rotateKey, verifyKey } from "../index.ts";

onEachDatabase("API keys", (backend) => {
  test("a key verifies, is stored hashed, and is shown once", async () => {
    const db = await backend.open();
    const { key, token } = await createKey(db, { tenant: "acme", name: "laptop", scopes: ["read"] });
    expect(await verifyKey(db, token)).toMatchObject({ id: key.id, tenant: "acme", scopes: ["read"] });
    const listed = await listKeys(db, "acme");
    expect(listed).toMatchObject([{ id: key.id, name: "laptop", prefix: token.slice(0, 15) }]);
    expect(JSON.stringify(listed)).not.toContain(token.slice(16));
    expect(await listKeys(db, "other")).toEqual([]);
  });

  test("what is not quite the token is not the key", async () => {
    const db = await backend.open();
    const { token } = await createKey(db, { tenant: "acme", name: "k" });
    const last = token.at(-1) === "0" ? "1" : "0";
    const wrong = [
      token.slice(0, -1) + last,
      token.slice(0, -1),
      `${token} `,
      token.toUpperCase(),
      "",
      "ck_",
      "' or 1=1",
    ];
    for (const text of wrong) expect(await verifyKey(db, text)).toBeNull();
  });

  test("ends by its date, and by being revoked, here at once", async () => {
    const { clock, advance, time } = manualClock();
    const db = await backend.open({ clock });
    const dated = await createKey(db, { tenant: "acme", name: "dated", expiresAt: time.now + 500 });
    const revoked = await createKey(db, { tenant: "acme", name: "revoked" });
    expect(await verifyKey(db, dated.token)).not.toBeNull();
    expect(await verifyKey(db, revoked.token)).not.toBeNull();
    await revokeKey(db, revoked.key.id);
    expect(await verifyKey(db, revoked.token)).toBeNull();
    advance(500);
    expect(await verifyKey(db, dated.token)).toBeNull();
    await expect(revokeKey(db, "key_nobody")).rejects.toMatchObject({ code: "not_found" });
    await expect(rotateKey(db, revoked.key.id, 0)).rejects.toMatchObject({ code: "not_found" });
  });

  test("is revoked for other edges within a second", async () => {
    const { clock, advance } = manualClock();
    const url = await backend.createUrl();
    const here = await backend.connect(url, { clock });
    const there = await openDatabase(url, { clock });
    const { key, token } = await createKey(here, { tenant: "acme", name: "k" });
    expect(await verifyKey(there, token)).not.toBeNull();
    await revokeKey(here, key.id);
    advance(1_000);
    expect(await verifyKey(there, token)).toBeNull();
    await there.close();
  });

  test("rotates: the new one has the same rights, the old one works on for a while", async () => {
    const { clock, advance } = manualClock();
    const db = await backend.open({ clock });
    const limits = { requestsPerMinute: 10 };
    const old = await createKey(db, { tenant: "acme", name: "ci", scopes: ["render"], limits });
    const fresh = await rotateKey(db, old.key.id, 60_000);
    expect(fresh.key).toMatchObject({
      tenant: "acme",
      name: "ci",
      scopes: ["render"],
      limits,
      rotatedFrom: old.key.id,
    });
    advance(59_000);
    expect(await verifyKey(db, old.token)).not.toBeNull();
    advance(1_000);
    expect(await verifyKey(db, old.token)).toBeNull();
    expect(await verifyKey(db, fresh.token)).not.toBeNull();
  });

  test("says when it was last used, to the minute", async () => {
    const { clock, advance, time } = manualClock();
    const db = await backend.open({ clock });
    const { token } = await createKey(db, { tenant: "acme", name: "k" });
    const lastUsed = async () => (await listKeys(db))[0]?.lastUsedAt;
    expect(await lastUsed()).toBeNull();
    const first = time.now;
    await verifyKey(db, token);
    advance(30_000);
    await verifyKey(db, token);
    expect(await lastUsed()).toBe(first);
    advance(30_001);
    await verifyKey(db, token);
    expect(await lastUsed()).toBe(time.now);
  });

  test("refuses scopes and tenants that there are not", async () => {
    const db = await backend.open();
    const bad = { code: "invalid_input" };
    await expect(createKey(db, { tenant: "acme", name: "k", scopes: [] })).rejects.toMatchObject(bad);
    await expect(createKey(db, { tenant: "a b", name: "k" })).rejects.toMatchObject(bad);
  });
});

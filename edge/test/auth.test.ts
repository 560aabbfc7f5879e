import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createKey, openDatabase } from "@cartoon/db";
import { type Harness, startHarness } from "./harness.ts";

let h: Harness;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  h = await startHarness({ env: { CARTOON_AUTH: "keys" } });
  const db = await openDatabase(join(h.dataDir, "cartoon.db"));
  const make = async (name: string, input: Partial<Parameters<typeof createKey>[1]>) => {
    tokens[name] = (await createKey(db, { tenant: name, name, ...input })).token;
  };
  await make("alice", {});
  await make("bob", {});
  await make("reader", { tenant: "alice", scopes: ["read"] });
  await make("slow", { limits: { requestsPerMinute: 3 } });
  await make("small", { limits: { deviceSecondsPerDay: 0 } });
  await make("one", { limits: { queuedJobs: 1 } });
  await make("other one", { tenant: "one", limits: { queuedJobs: 1 } });
  await make("late", { expiresAt: Date.now() - 1000 });
  await db.close();
});
afterAll(() => h.stop());

const bearer = (name: string) => ({ authorization: `Bearer ${tokens[name]}` });
const render = { prompt: "temo waves" };

describe("keys", () => {
  test("are needed, and /health is open", async () => {
    const answer = await h.call("POST", "/v1/renders", render);
    expect([answer.status, answer.body.code]).toEqual([401, "unauthenticated"]);
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    expect((await h.call("GET", "/health")).status).toBe(200);
    expect((await h.call("POST", "/v1/renders", render, { authorization: "Bearer ck_wrong" })).status).toBe(
      401,
    );
    expect((await h.call("POST", "/v1/renders", render, bearer("late"))).status).toBe(401);
    expect((await h.call("POST", "/api/animation", render)).body.detail).toContain("API key");
  });

  test.each([
    ["Bearer", (token: string) => ({ authorization: `Bearer ${token}` })],
    ["raw", (token: string) => ({ authorization: token })],
    ["Key", (token: string) => ({ authorization: `Key ${token}` })],
    ["x-api-key", (token: string) => ({ "x-api-key": token })],
  ] as [string, (token: string) => Record<string, string>][])("come as %s", async (_, headers) => {
    expect((await h.call("GET", "/v1/renders", undefined, headers(tokens.alice ?? ""))).status).toBe(200);
  });

  test("have scopes", async () => {
    expect((await h.call("POST", "/v1/renders", render, bearer("reader"))).body.code).toBe("forbidden");
    expect((await h.call("GET", "/v1/renders", undefined, bearer("reader"))).status).toBe(200);
  });

  test("keep tenants apart", async () => {
    const { body } = await h.call("POST", "/v1/renders", render, bearer("alice"));
    await h.call("GET", `/v1/renders/${body.id}?wait=20`, undefined, bearer("alice"));
    for (const [method, path] of [
      ["GET", `/v1/renders/${body.id}`],
      ["GET", `/v1/renders/${body.id}/events`],
      ["GET", `/v1/renders/${body.id}/logs`],
      ["GET", `/v1/renders/${body.id}/preview`],
      ["GET", `/v1/renders/${body.id}/preview/speech/0`],
      ["GET", `/v1/renders/${body.id}/manifest`],
      ["GET", `/v1/renders/${body.id}/results/clip.mp4`],
      ["GET", `/v1/renders/${body.id}/estimate`],
      ["POST", `/v1/renders/${body.id}/cancel`],
      ["POST", `/v1/renders/${body.id}/retry`],
      ["DELETE", `/v1/renders/${body.id}`],
    ] as const)
      expect([path, (await h.call(method, path, undefined, bearer("bob"))).status]).toEqual([path, 404]);
    expect((await h.call("GET", "/v1/renders", undefined, bearer("bob"))).body.renders).toEqual([]);
    expect((await h.call("GET", "/v1/renders", undefined, bearer("alice"))).body.renders).toHaveLength(1);
  });

  test("have their own names for renders", async () => {
    const put = (name: string) => h.call("PUT", "/v1/renders/my-clip", { ...render, seed: 1 }, bearer(name));
    const [first, second, again] = [await put("alice"), await put("bob"), await put("alice")];
    expect([first.status, second.status, again.status]).toEqual([202, 202, 200]);
    expect(first.body.id).toBe("my-clip");
    const other = await h.call("PUT", "/v1/renders/my-clip", { ...render, seed: 2 }, bearer("alice"));
    expect([other.status, other.body.code]).toEqual([409, "conflict"]);
  });
});

describe("limits", () => {
  test("on requests, with RateLimit headers", async () => {
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(await h.call("GET", "/v1/renders", undefined, bearer("slow")));
    const refused = answers.find((answer) => answer.status === 429);
    expect(refused?.body.code).toBe("rate_limited");
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(answers[0]?.headers.get("ratelimit-policy")).toBe('"requests";q=3;w=60');
    expect(answers[0]?.headers.get("ratelimit")).toMatch(/^"requests";r=\d+;t=\d+$/);
  });

  test("on device seconds a day", async () => {
    const answer = await h.call("POST", "/v1/renders", render, bearer("small"));
    expect([answer.status, answer.body.code]).toEqual([429, "quota_exceeded"]);
    expect(answer.headers.get("ratelimit-policy")).toBe('"device-seconds";q=0;w=86400');
    expect(answer.headers.get("ratelimit")).toMatch(/^"device-seconds";r=0;t=\d+$/);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test("on waiting jobs", async () => {
    h.node.setHealth("NODE_HEALTH_DRAINING");
    const submit = () => h.call("POST", "/v1/renders", render, bearer("one"));
    for (let i = 0; (await h.call("GET", "/health")).body.nodes[0]?.health !== "draining" && i < 100; i++);
    const [first, second] = [await submit(), await submit()];
    expect([first.status, second.status, second.body.code]).toEqual([202, 429, "queue_full"]);
    expect(second.headers.get("ratelimit-policy")).toBe('"queued-jobs";q=1');
    expect(second.headers.get("retry-after")).toBe("5");
    // Of one key: another one of the same tenant has its own.
    const other = await h.call("POST", "/v1/renders", render, bearer("other one"));
    expect(other.status).toBe(202);
    h.node.setHealth("NODE_HEALTH_READY");
  });
});

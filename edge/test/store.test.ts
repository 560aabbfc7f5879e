import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "@cartoon/db";
import { FolderStore } from "../src/store/folder.ts";
import { parseRange } from "../src/store/range.ts";
import { signGrant } from "../src/store/signed-url.ts";
import { sweepOrphans } from "../src/store/sweeper.ts";
import { type Harness, startHarness } from "./harness.ts";

const secret = "a secret for signed URLs, 32 bytes and more";
const content = Buffer.from("0123456789".repeat(20));
let h: Harness;
let store: FolderStore;
let key = "";

beforeAll(async () => {
  h = await startHarness({ env: { CARTOON_URL_SECRET: secret, CARTOON_MAX_UPLOAD_BYTES: "4096" } });
  store = new FolderStore({ folder: join(h.dataDir, "store"), secret, internalOrigin: () => h.url });
  key = "renders/job_x/a1/clip.mp4";
  await store.put(key, content);
});
afterAll(() => h.stop());

const signed = (more = {}) => store.signGet(key, { expiresInSeconds: 60, origin: h.url, ...more });
const get = async (headers: Record<string, string> = {}, method = "GET") =>
  fetch(await signed(), { method, headers });

describe("signed URLs", () => {
  test("serve the object with type, length and ETag", async () => {
    const response = await get();
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "video/mp4"]);
    expect([response.headers.get("content-length"), response.headers.get("accept-ranges")]).toEqual([
      "200",
      "bytes",
    ]);
    expect(await response.text()).toBe(content.toString());
    const head = await get({}, "HEAD");
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "200", ""]);
  });

  test("answer conditional requests", async () => {
    const etag = (await get()).headers.get("etag") ?? "";
    expect((await get({ "if-none-match": etag })).status).toBe(304);
    expect((await get({ "if-none-match": `W/${etag}, "other"` })).status).toBe(304);
    expect((await get({ "if-none-match": '"other"' })).status).toBe(200);
    expect((await get({ range: "bytes=0-1", "if-range": '"other"' })).status).toBe(200);
    expect((await get({ range: "bytes=0-1", "if-range": etag })).status).toBe(206);
  });

  test.each([
    ["bytes=0-9", 206, "bytes 0-9/200", "0123456789"],
    ["bytes=195-", 206, "bytes 195-199/200", "56789"],
    ["bytes=-3", 206, "bytes 197-199/200", "789"],
    ["bytes=0-9999", 206, "bytes 0-199/200", content.toString()],
    ["bytes=0-1,4-5", 200, null, content.toString()],
    ["lines=1-2", 200, null, content.toString()],
    ["bytes=9-2", 200, null, content.toString()],
  ])("range %s", async (range, status, header, body) => {
    const response = await get({ range: String(range) });
    expect([response.status, response.headers.get("content-range")]).toEqual([
      Number(status),
      header as string | null,
    ]);
    expect(await response.text()).toBe(String(body));
  });

  test("an impossible range is a 416 with the size", async () => {
    const response = await get({ range: "bytes=200-" });
    expect([response.status, response.headers.get("content-range")]).toEqual([416, "bytes */200"]);
  });

  test("offer a file name", async () => {
    const response = await fetch(await signed({ downloadAs: "my clip.mp4" }));
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="my clip.mp4"');
    await response.body?.cancel();
  });

  test("expire, and can't be changed", async () => {
    const url = new URL(await signed());
    const altered = (change: (url: URL) => void) => {
      const copy = new URL(url);
      change(copy);
      return fetch(copy).then(async (response) => [
        response.status,
        ((await response.json()) as { code: string }).code,
      ]);
    };
    expect(await altered((u) => u.searchParams.set("exp", String(Date.now())))).toEqual([
      403,
      "bad_signature",
    ]);
    expect(await altered((u) => u.searchParams.set("dl", "evil.html"))).toEqual([403, "bad_signature"]);
    expect(await altered((u) => u.searchParams.delete("sig"))).toEqual([403, "bad_signature"]);
    expect(await altered((u) => (u.pathname = "/store/renders/job_y/a1/clip.mp4"))).toEqual([
      403,
      "bad_signature",
    ]);
    const past = signGrant(secret, { method: "GET", key, expiresAt: Math.floor(Date.now() / 1000) - 1 });
    expect((await h.call("GET", past)).status).toBe(403);
    const put = signGrant(secret, { method: "PUT", key, expiresAt: Math.floor(Date.now() / 1000) + 60 });
    expect((await h.call("GET", put)).status).toBe(403);
  });

  test("take one object of the right type and size", async () => {
    const target = await store.signPut("renders/job_x/a1/poster.png", {
      expiresInSeconds: 60,
      contentType: "image/png",
    });
    const put = (body: BodyInit, headers: Record<string, string>) =>
      fetch(target.url, { method: "PUT", body, headers });
    expect((await put("png", { "content-type": "text/html" })).status).toBe(415);
    expect((await put("x".repeat(5000), target.headers)).status).toBe(413);
    const answer = await put("png", target.headers);
    expect([answer.status, await answer.json()]).toMatchObject([201, { bytes: 3 }]);
    expect(await store.digest("renders/job_x/a1/poster.png")).toMatchObject({ bytes: 3 });
    const names = await readdir(join(h.dataDir, "store/renders/job_x/a1"));
    expect(names.sort()).toEqual(["clip.mp4", "poster.png"]);
  });
});

describe("path tricks", () => {
  // fetch and URL tidy such paths up, so these go over a bare request.
  const raw = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const url = new URL(h.url);
      request({ host: url.hostname, port: url.port, path }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end();
    });

  test.each([
    "/store/../secret",
    "/store/..%2fsecret",
    "/store/%2e%2e/secret",
    "/store/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/store/renders/../../secret",
    "/store/renders%00/x",
    "/store/renders/.hidden",
    "/store/renders\\..\\secret",
    "/store/%ff",
    "/store//etc/passwd",
    "/store/",
    "/v1/renders/..%2f..%2fsecret",
    "/v1/renders/%00",
    "/docs/..%2fpackage.json",
  ])("%s is not there", async (path) => {
    expect([400, 403, 404]).toContain(await raw(path));
  });

  test("keys are checked before signing too", async () => {
    await expect(store.signGet("../secret", { expiresInSeconds: 1, origin: "" })).rejects.toThrow();
    await expect(store.put("renders/../../x", content)).rejects.toThrow();
    await expect(store.head("/etc/passwd")).rejects.toThrow();
  });
});

test("ranges", () => {
  expect(parseRange("bytes=-0", 10)).toBe("unsatisfiable");
  expect(parseRange("bytes=0-0", 0)).toBe("unsatisfiable");
  expect(parseRange("bytes=-20", 10)).toEqual({ start: 0, end: 9 });
  expect(parseRange("bytes=-", 10)).toBe("whole");
});

test("what no job owns is swept, old folders only", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cartoon-orphans-"));
  const own = new FolderStore({ folder, secret, internalOrigin: () => "" });
  const db = await openDatabase(":memory:");
  await own.put("renders/job_old/a1/clip.mp4", content);
  await own.put("renders/job_new/a1/clip.mp4", content);
  const longAgo = new Date(Date.now() - 1e9);
  await utimes(join(folder, "renders/job_old"), longAgo, longAgo);
  await mkdir(join(folder, "renders/empty"), { recursive: true });
  expect(await sweepOrphans(db, own)).toEqual(["job_old"]);
  expect(await own.head("renders/job_new/a1/clip.mp4")).toMatchObject({ bytes: 200 });
  await db.close();
  await rm(folder, { recursive: true });
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventsAfter, openDatabase, openSecrets } from "@cartoon/db";
import runpodSdk from "runpod-sdk";
import S3rver from "s3rver";
import { bucketOf } from "../src/runpod/worker/bucket.ts";
import { type Harness, sleep, startHarness } from "./harness.ts";

let server: S3rver;
let folder = "";
let endpoint = "";
let h: Harness;
let hook: Server;
let hookUrl = "";
const hooks: string[] = [];
const input = { task_type: "animation", character: "temo", prompt: "temo waves", seed: 5 };
const secret = "S3RVER";
const bucket = (more: object = {}) => ({
  accessId: "S3RVER",
  accessSecret: secret,
  bucketName: "clips",
  endpointUrl: endpoint,
  ...more,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-caller-"));
  server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory: folder,
    configureBuckets: [{ name: "clips", configs: [] }],
  });
  const { port } = await server.run();
  endpoint = `http://127.0.0.1:${port}`;
  hook = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      hooks.push(text);
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const address = hook.address();
  const hookPort = typeof address === "object" ? address?.port : 0;
  hookUrl = `http://127.0.0.1:${hookPort}/`;
  h = await startHarness({ env: { CARTOON_FETCH_ALLOW: `127.0.0.1:${port},127.0.0.1:${hookPort}` } });
});
afterAll(async () => {
  await h.stop();
  hook.closeAllConnections();
  hook.close();
  const closed = server.close();
  server.httpServer.closeAllConnections();
  await closed;
  await rm(folder, { recursive: true, force: true });
});

test("results go to the bucket that the job brings along, and to no other place", async () => {
  const endpointOf = runpodSdk("any", { baseUrl: `${h.url}/v2` }).endpoint("cartoon");
  const s3Config = bucket({ objectPath: "from/runpod" });
  const request = { input, s3Config, webhook: hookUrl } as { input: typeof input };
  const done = (await endpointOf?.runSync(request, 20_000)) as {
    id: string;
    status: string;
    output: { mp4: string; gif: string; urls: Record<string, string> };
  };
  expect(done.status).toBe("COMPLETED");
  expect(done.output.mp4).toStartWith(`${endpoint}/clips/from/runpod/${done.id}/clip.mp4?`);
  expect(done.output.urls["manifest.json"]).toStartWith(`${endpoint}/clips/`);
  const response = await fetch(done.output.mp4);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "video/mp4"]);
  const bytes = await response.bytes();
  expect(bytes.length).toBeGreaterThan(0);
  // The same job in another dialect leads to the same place.
  const render = await h.finished(done.id);
  expect(render.results.find(({ name }) => name === "clip.mp4")?.url).toBe(done.output.mp4);
  const kept = await readdir(join(h.dataDir, "store/renders", done.id), { recursive: true }).catch(() => []);
  expect(kept.filter((name) => /\.(mp4|gif|png|json)$/.test(name))).toEqual([]);
});

test("its credentials are sealed while they are needed, gone afterwards, and shown nowhere", async () => {
  const secrets = bucket({ accessId: "S3RVER", objectPath: "again" });
  const { body } = await h.call("POST", "/v2/cartoon/run", { input, s3Config: secrets, webhook: hookUrl });
  const before = JSON.stringify(await h.call("GET", `/v2/cartoon/status/${body.id}`));
  const render = await h.finished(body.id);
  for (let tries = 0; hooks.length < 2 && tries < 100; tries++) await sleep(50);
  const secretKey = (await readFile(join(h.dataDir, "secret"), "utf8")).trim();
  const db = await openDatabase(`sqlite:${join(h.dataDir, "cartoon.db")}`, { secretKey });
  expect(await openSecrets(db, body.id)).toBeNull();
  const events = JSON.stringify(await eventsAfter(db, body.id, 0));
  await db.close();
  const status = JSON.stringify(await h.call("GET", `/v2/cartoon/status/${body.id}`));
  const listed = JSON.stringify(await h.call("GET", "/v2/cartoon/requests"));
  for (const text of [before, JSON.stringify(render), events, status, listed, ...hooks]) {
    expect(text).not.toContain("accessSecret");
    expect(text).not.toContain("s3Config");
  }
  expect(hooks).toHaveLength(2);
});

test("a bucket that refuses fails the job in words, without a secret in them", async () => {
  const s3Config = bucket({ accessId: "NOBODY", accessSecret: "hush-hush" });
  const { body } = await h.call("POST", "/v2/cartoon/run", { input, s3Config });
  await h.finished(body.id);
  const status = await h.call("GET", `/v2/cartoon/status/${body.id}`);
  expect(status.body).toMatchObject({
    status: "FAILED",
    error: "upload_failed: your bucket answered 403 to clip.mp4",
  });
  expect(JSON.stringify(status.body)).not.toContain("hush-hush");
  // A retry needs what it has brought along, so it is still there, sealed.
  const secretKey = (await readFile(join(h.dataDir, "secret"), "utf8")).trim();
  const db = await openDatabase(`sqlite:${join(h.dataDir, "cartoon.db")}`, { secretKey });
  expect(await openSecrets(db, body.id)).toMatchObject({ callerBucket: { accessSecret: "hush-hush" } });
  await db.close();
  expect((await readFile(join(h.dataDir, "cartoon.db"))).includes("hush-hush")).toBe(false);
});

test("what is wrong with a bucket is said at once, without its values", async () => {
  const refuse = async (s3Config: object) => {
    const { status, body } = await h.call("POST", "/v2/cartoon/run", { input, s3Config });
    expect(JSON.stringify(body)).not.toContain(secret);
    return [status, body.error];
  };
  expect(await refuse(bucket({ endpointUrl: "http://169.254.169.254" }))).toEqual([
    400,
    expect.stringContaining("not on the public internet"),
  ]);
  expect(await refuse(bucket({ endpointUrl: "http://10.0.0.8:9000" }))).toEqual([400, expect.any(String)]);
  expect(await refuse(bucket({ bucketName: "../etc" }))).toEqual([
    400,
    expect.stringContaining("bucketName"),
  ]);
  expect(await refuse(bucket({ objectPath: "../up" }))).toEqual([400, expect.stringContaining("objectPath")]);
  expect(await refuse({ accessId: "S3RVER" })).toEqual([400, expect.stringContaining("accessSecret")]);
});

test("a worker puts results into the bucket of its environment, and links them for a week", async () => {
  const worker = bucketOf({
    BUCKET_ENDPOINT_URL: `${endpoint}/clips`,
    BUCKET_ACCESS_KEY_ID: "S3RVER",
    BUCKET_SECRET_ACCESS_KEY: secret,
  });
  const url = await worker?.put("job-1/clip.mp4", new TextEncoder().encode("ftyp"), "video/mp4");
  expect(new URL(url ?? "").searchParams.get("X-Amz-Expires")).toBe("604800");
  const response = await fetch(url ?? "");
  expect([response.headers.get("content-type"), await response.text()]).toEqual(["video/mp4", "ftyp"]);
  const stranger = bucketOf({
    BUCKET_ENDPOINT_URL: `${endpoint}/clips`,
    BUCKET_ACCESS_KEY_ID: "NOBODY",
    BUCKET_SECRET_ACCESS_KEY: "hush-hush",
  });
  await expect(stranger?.put("x", new Uint8Array(1), "video/mp4")).rejects.toThrow(
    "the bucket refused x: HTTP 403",
  );
});

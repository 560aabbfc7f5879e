import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "s3rver";
import { S3Store } from "../src/store/s3.ts";
import { loraFile, sha256 } from "./character-files.ts";
import { type Harness, startHarness } from "./harness.ts";

let server: S3rver;
let folder: string;
let endpoint: string;
let store: S3Store;
const content = Buffer.from("0123456789".repeat(20));
const keys = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-s3-"));
  server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory: folder,
    configureBuckets: [{ name: "cartoon", configs: [] }],
  });
  const { port } = await server.run();
  endpoint = `http://127.0.0.1:${port}`;
  store = new S3Store({
    endpoint,
    publicEndpoint: endpoint,
    bucket: "cartoon",
    region: "us-east-1",
    prefix: "team/a",
    ...keys,
  });
});
afterAll(async () => {
  const closed = server.close();
  server.httpServer.closeAllConnections();
  await closed;
  await rm(folder, { recursive: true, force: true });
});

describe("a bucket", () => {
  const key = "renders/job_1/a1/clip.mp4";

  test("holds objects", async () => {
    await store.check();
    expect(await store.head(key)).toBeUndefined();
    expect(await store.digest(key)).toBeUndefined();
    await store.put(key, content, "video/mp4");
    expect(await store.head(key)).toMatchObject({ bytes: 200, contentType: "video/mp4" });
    expect((await store.digest(key))?.bytes).toBe(200);
    const part = await store.get(key, { start: 5, end: 9 });
    expect(await new Response(part?.body).text()).toBe("56789");
  });

  test("keeps copies of files, one after the other", async () => {
    const files = ["a", "b", "c"].map((name) => join(folder, `file-${name}`));
    for (const file of files) await writeFile(file, file.repeat(1000));
    const keys = files.map((_, i) => `assets/acme/${i}`);
    await Promise.all(files.map((file, i) => store.putFile(keys[i] ?? "", file, "application/octet-stream")));
    for (const [i, file] of files.entries())
      expect((await store.head(keys[i] ?? ""))?.bytes).toBe(1000 * file.length);
    await expect(store.putFile("assets/acme/d", join(folder, "none"), "x/y")).rejects.toThrow("ENOENT");
    await store.putFile("assets/acme/e", files[0] ?? "", "application/octet-stream");
    await store.deletePrefix("assets/acme/1");
    expect(await store.head("assets/acme/1")).toBeUndefined();
    expect(await store.head("assets/acme/0")).toBeDefined();
  });

  test("signs GETs", async () => {
    const url = await store.signGet(key, { expiresInSeconds: 60, origin: "", downloadAs: "clip.mp4" });
    const response = await fetch(url);
    expect([response.status, response.headers.get("content-disposition")]).toEqual([
      200,
      'attachment; filename="clip.mp4"',
    ]);
    expect(await response.text()).toBe(content.toString());
    // This server checks the key and the time of a signature, though not its bytes.
    const late = await fetch(url.replace(/X-Amz-Date=\d{8}/, "X-Amz-Date=20200101"));
    expect([late.status, (await late.text()).length > 0]).toEqual([403, true]);
    const stranger = await fetch(url.replace("S3RVER", "NOBODY"));
    expect([stranger.status, (await stranger.text()).length > 0]).toEqual([403, true]);
  });

  test("signs PUTs", async () => {
    const target = await store.signPut("renders/job_1/a1/clip.gif", {
      expiresInSeconds: 60,
      contentType: "image/gif",
    });
    const response = await fetch(target.url, { method: "PUT", headers: target.headers, body: "GIF89a" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(await store.digest("renders/job_1/a1/clip.gif")).toMatchObject({ bytes: 6 });
  });

  test("lists jobs and forgets them", async () => {
    await store.put("renders/job_2/a1/clip.mp4", content, "video/mp4");
    const jobs = await Array.fromAsync(store.listJobs());
    expect(jobs.map(({ jobId }) => jobId).sort()).toEqual(["job_1", "job_2"]);
    await store.deletePrefix("renders/job_1/");
    expect(await store.head(key)).toBeUndefined();
    expect(await store.head("renders/job_2/a1/clip.mp4")).toMatchObject({ bytes: 200 });
  });

  test("refuses path tricks", async () => {
    await expect(store.signGet("../x", { expiresInSeconds: 1, origin: "" })).rejects.toThrow();
  });
});

test("a render whose results go to the bucket", async () => {
  const h: Harness = await startHarness({
    env: {
      CARTOON_STORE: "s3",
      S3_ENDPOINT: endpoint,
      S3_BUCKET: "cartoon",
      S3_REGION: "us-east-1",
      S3_ACCESS_KEY_ID: keys.accessKeyId,
      S3_SECRET_ACCESS_KEY: keys.secretAccessKey,
    },
  });
  const form = new FormData();
  form.append("name", "nana");
  form.append("lora", new Blob([new Uint8Array(loraFile())]), "nana.safetensors");
  const registered = await fetch(`${h.url}/v1/characters`, { method: "POST", body: form });
  expect((await registered.json()).name).toBe("nana");
  const { body } = await h.call("POST", "/v1/renders", { prompt: "nana waves", characters: ["nana"] });
  const done = await h.finished(body.id);
  const [asset] = h.node.runs[0]?.request.assets ?? [];
  expect(asset?.get_url.startsWith(endpoint)).toBe(true);
  const fetched = new Uint8Array(await (await fetch(asset?.get_url ?? "")).arrayBuffer());
  expect(sha256(fetched)).toBe(asset?.sha256 ?? "");
  expect(done.status).toBe("succeeded");
  const clip = done.results.find(({ name }) => name === "clip.mp4");
  expect(clip?.url.startsWith(endpoint)).toBe(true);
  const statusOf = async () => {
    const response = await fetch(clip?.url ?? "");
    await response.text();
    return response.status;
  };
  expect(await statusOf()).toBe(200);
  expect((await h.call("DELETE", `/v1/renders/${body.id}`)).status).toBe(204);
  expect(await statusOf()).toBe(404);
  await h.stop();
});

test("a render whose results go to a bucket that the request names", async () => {
  const destinations = {
    films: {
      endpoint,
      bucket: "cartoon",
      region: "us-east-1",
      access_key_id: keys.accessKeyId,
      secret_access_key: keys.secretAccessKey,
      prefix: "films/{tenant}/{year}/{id}",
    },
  };
  const h = await startHarness({ env: { CARTOON_DESTINATIONS: JSON.stringify(destinations) } });
  const unknown = await h.call("POST", "/v1/renders", { prompt: "temo", destination: "nowhere" });
  expect([unknown.status, unknown.body.errors[0].pointer]).toEqual([422, "#/destination"]);
  expect(unknown.body.detail).toContain("films");
  await h.call("PUT", "/v1/renders/my-film", { prompt: "temo waves", destination: "films" });
  const done = await h.finished("my-film");
  const clip = done.results.find(({ name }) => name === "clip.mp4");
  const path = `/cartoon/films/local/${new Date().getUTCFullYear()}/my-film/clip.mp4`;
  expect(new URL(clip?.url ?? "").pathname).toBe(path);
  const response = await fetch(clip?.url ?? "");
  expect([response.status, (await response.text()).slice(0, 8)]).toEqual([200, "clip.mp4"]);
  expect((await h.call("GET", "/v1/renders/my-film/manifest")).body.spec.clip.prompt).toBe("temo waves");
  // The default store still works beside it.
  const { body } = await h.call("POST", "/v1/renders", { prompt: "temo waves" });
  expect((await h.finished(body.id)).results[0]?.url.startsWith(h.url)).toBe(true);
  await h.stop();
});

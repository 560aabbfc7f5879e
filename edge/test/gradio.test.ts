import { afterAll, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createKey, openDatabase } from "@cartoon/db";
import { Client, handle_file } from "@gradio/client";
import { wavFile } from "./character-files.ts";
import { startHarness } from "./harness.ts";

const h = await startHarness();
afterAll(() => h.stop());

const wavOf = (seconds: number) => new Uint8Array(wavFile(seconds));

async function keyFor(dataDir: string, tenant: string): Promise<string> {
  const secretKey = (await readFile(join(dataDir, "secret"), "utf8")).trim();
  const db = await openDatabase(`sqlite:${join(dataDir, "cartoon.db")}`, { secretKey });
  const { token } = await createKey(db, { tenant, name: tenant });
  await db.close();
  return token;
}

test("the official client connects, views the API and predicts", async () => {
  const client = await Client.connect(h.url, { events: ["data", "status"] });
  const info = await client.view_api();
  expect(Object.keys(info.named_endpoints)).toEqual(["/animation", "/voice", "/combined"]);
  const stages: string[] = [];
  const job = client.submit("/combined", {
    prompt: "temo and felfel on the moon",
    dialogue_text: "[S1] Temo: Hello! [S2] Felfel: Hi!",
    seed: 3,
  });
  let data: unknown[] = [];
  for await (const message of job) {
    if (message.type === "status") stages.push(message.stage);
    if (message.type === "data") {
      data = message.data as unknown[];
      break;
    }
  }
  const [gif, video, audio, status] = data as { url: string; seed: number; id: string }[];
  expect((await fetch(video?.url ?? "")).headers.get("content-type")).toBe("video/mp4");
  expect((await fetch(gif?.url ?? "")).headers.get("content-type")).toBe("image/gif");
  expect((await fetch(audio?.url ?? "")).headers.get("content-type")).toBe("audio/wav");
  expect(status?.seed).toBe(3);
  expect(stages).toContain("pending");
  expect((await h.call("GET", `/v1/renders/${status?.id}`)).body.status).toBe("succeeded");
});

test("plain calls: POST, then the event stream", async () => {
  const { body } = await h.call("POST", "/gradio_api/call/voice", { data: ["temo", "Hello there!"] });
  const text = await (await fetch(`${h.url}/gradio_api/call/voice/${body.event_id}`)).text();
  expect(text).toStartWith("event: complete\ndata: [");
  const bad = await h.call("POST", "/gradio_api/call/voice", { data: ["garfield", "Hello there!"] });
  expect(bad).toMatchObject({ status: 422, body: { detail: expect.stringContaining("garfield") } });
  expect((await h.call("POST", "/gradio_api/call/nothing", { data: [] })).status).toBe(404);
});

test("a file that the official client uploads becomes the voice of a character", async () => {
  const client = await Client.connect(h.url);
  const clip = handle_file(new Blob([wavOf(1.5)], { type: "audio/wav" }));
  const input = {
    dialogue_text: "Hello!",
    voice_clip: clip,
    voice_transcript: "Good day.",
    voice_character: "felfel",
  };
  const { data } = await client.predict("/voice", input);
  const [audio] = data as { url: string }[];
  expect((await fetch(audio?.url ?? "")).headers.get("content-type")).toBe("audio/wav");
  const [voice] = h.node.runs.at(-1)?.request.spec?.speech?.voices ?? [];
  expect(voice).toMatchObject({ character: "felfel", transcript: "Good day." });
  // What the node is told to fetch is what was uploaded.
  expect(await (await fetch(voice?.audio_url ?? "")).bytes()).toEqual(wavOf(1.5));
});

test("an uploaded picture is what the clip starts from", async () => {
  const client = await Client.connect(h.url);
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  const start_image = handle_file(new Blob([png], { type: "image/png" }));
  await client.predict("/animation", { prompt: "temo waves", start_image, start_strength: 0.5 });
  const started = h.node.runs.at(-1)?.request.spec?.clip?.start_image;
  expect(started?.strength).toBeCloseTo(0.5);
  expect(Buffer.from(await (await fetch(started?.url ?? "")).arrayBuffer()).equals(png)).toBe(true);
});

test("uploads: paths, what is no clip, other people's files", async () => {
  const upload = async (bytes: Uint8Array<ArrayBuffer>) => {
    const form = new FormData();
    form.append("files", new File([bytes], "../../my voice.wav"));
    const response = await fetch(`${h.url}/gradio_api/upload`, { method: "POST", body: form });
    return { status: response.status, body: await response.json() };
  };
  const kept = await upload(wavOf(2));
  expect(kept).toEqual({ status: 200, body: [expect.stringMatching(/^upload_[0-9a-f]{32}\/file\.wav$/)] });
  const back = await fetch(`${h.url}/gradio_api/file=${kept.body[0]}`);
  expect(await back.bytes()).toEqual(wavOf(2));
  expect(await upload(new TextEncoder().encode("#!/bin/sh"))).toMatchObject({ status: 422 });
  expect(await upload(wavOf(40))).toMatchObject({
    status: 422,
    body: { detail: expect.stringContaining("40.0 s long") },
  });
  const large = await upload(new Uint8Array(11 * 1024 * 1024));
  expect(large.status).toBe(413);
  const missing = `upload_${"0".repeat(32)}/file.wav`;
  expect((await fetch(`${h.url}/gradio_api/file=${missing}`)).status).toBe(404);
  const call = (voice: unknown[]) =>
    h.call("POST", "/gradio_api/call/voice", {
      data: ["temo", "Hi!", 1, null, null, null, null, null, ...voice],
    });
  expect(await call([{ path: missing }, "x", "temo"])).toMatchObject({ status: 404 });
  expect(await call([{ path: kept.body[0] }, "", "temo"])).toMatchObject({
    status: 422,
    body: { detail: "voice_transcript: what is said in the clip is needed" },
  });
  expect(await call([{ path: "/etc/passwd" }, "x", "temo"])).toMatchObject({ status: 422 });
});

test("one tenant's upload is nothing to another", async () => {
  const guarded = await startHarness({ env: { CARTOON_AUTH: "keys" } });
  try {
    const [mine, other] = await Promise.all(["a", "b"].map((tenant) => keyFor(guarded.dataDir, tenant)));
    const form = new FormData();
    form.append("files", new File([wavOf(1)], "v.wav"));
    const headers = { authorization: `Bearer ${mine}` };
    const kept = await fetch(`${guarded.url}/gradio_api/upload`, { method: "POST", body: form, headers });
    const [path] = (await kept.json()) as string[];
    const status = async (key: string | undefined) =>
      (await fetch(`${guarded.url}/gradio_api/file=${path}`, { headers: { authorization: `Bearer ${key}` } }))
        .status;
    expect(await status(mine)).toBe(200);
    expect(await status(other)).toBe(404);
    expect((await fetch(`${guarded.url}/gradio_api/upload`, { method: "POST", body: form })).status).toBe(
      401,
    );
  } finally {
    await guarded.stop();
  }
});

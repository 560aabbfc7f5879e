import { afterAll, expect, test } from "bun:test";
import OpenAI, { toFile } from "openai";
import { startHarness } from "./harness.ts";

const h = await startHarness();
const client = new OpenAI({ baseURL: `${h.url}/v1`, apiKey: "any", maxRetries: 0 });
afterAll(() => h.stop());

const failureOf = (call: PromiseLike<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

test("the official client creates a video, polls it and downloads it", async () => {
  const prompt = "temo on the beach [S1] What a day!";
  let video = await client.videos.create({ prompt, size: "1280x720", seconds: "4" });
  while (video.status !== "completed") video = await client.videos.retrieve(video.id);
  expect(video).toMatchObject({
    object: "video",
    status: "completed",
    progress: 100,
    size: "1280x720",
    seconds: "4",
  });
  expect(video.prompt).toBe("temo on the beach");
  const content = await client.videos.downloadContent(video.id);
  expect((await content.arrayBuffer()).byteLength).toBeGreaterThan(0);
  const native = await h.call("GET", `/v1/renders/${video.id}`);
  expect(native.body.spec.speech.lines).toEqual([{ speaker: "temo", text: "What a day!" }]);
});

test("lists, pages, remixes and deletes", async () => {
  const first = await client.videos.create({ prompt: "felfel dances" });
  await h.finished(first.id);
  const remix = await client.videos.remix(first.id, { prompt: "felfel dances on the moon" });
  expect(remix.remixed_from_video_id).toBe(first.id);
  await h.finished(remix.id);
  const page = await client.videos.list({ limit: 1 });
  expect(page.data.map((one) => one.id)).toEqual([remix.id]);
  const next = await client.videos.list({ limit: 1, after: remix.id });
  expect(next.data.map((one) => one.id)).toEqual([first.id]);
  expect(await client.videos.delete(remix.id)).toMatchObject({ id: remix.id, deleted: true });
  expect(await failureOf(client.videos.retrieve(remix.id))).toMatchObject({ status: 404 });
});

test("errors have the shape the client types", async () => {
  expect(await failureOf(client.videos.create({ prompt: "" }))).toMatchObject({
    status: 422,
    param: "prompt",
  });
  expect(await failureOf(client.videos.create({ prompt: "temo", size: "big" as "720x1280" }))).toMatchObject({
    param: "size",
  });
  expect(await failureOf(client.videos.retrieve("job_nothing"))).toMatchObject({
    status: 404,
    code: "not_found",
  });
});

test("a picture that the official client sends is what the clip starts from", async () => {
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  const file = await toFile(png, "start.png", { type: "image/png" });
  await h.finished((await client.videos.create({ prompt: "temo waves", input_reference: file })).id);
  const started = h.node.runs.at(-1)?.request.spec?.clip?.start_image;
  expect(started?.strength).toBeCloseTo(0.7);
  expect(Buffer.from(await (await fetch(started?.url ?? "")).arrayBuffer()).equals(png)).toBe(true);
  const image_url = "https://example.com/start.png";
  const byUrl = await client.videos.create({ prompt: "temo waves", input_reference: { image_url } });
  await h.finished(byUrl.id);
  expect(h.node.runs.at(-1)?.request.spec?.clip?.start_image?.url).toBe(image_url);
  const script = await toFile(Buffer.from("#!/bin/sh"), "x.png", { type: "image/png" });
  const refused = await failureOf(client.videos.create({ prompt: "x", input_reference: script }));
  expect(refused).toMatchObject({ status: 422, param: "input_reference" });
});

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import sharp from "sharp";
import { clip, last, run, runRequest, startTestNode, type TestNode } from "./testing/test-node.ts";

setDefaultTimeout(60_000);

let node: TestNode;
let png: Buffer;
beforeAll(async () => {
  node = await startTestNode();
  png = await sharp({ create: { width: 40, height: 30, channels: 3, background: "#c03010" } })
    .png()
    .toBuffer();
  node.store.objects.set("images/start.png", png);
  await node.ready();
});
afterAll(() => node.close());

const draw = (job_id: string, start_image: object | undefined, more: object = {}) =>
  run(node.client, runRequest(node.store, { clip: { ...clip, ...more, start_image } } as never, { job_id }));
const gif = (job: string) => Bun.hash(node.store.objects.get(`${job}/clip.gif`) ?? "");
const manifest = (job: string) =>
  JSON.parse(new TextDecoder().decode(node.store.objects.get(`${job}/manifest.json`)));

test("a clip starts from an image inside the request or by URL; the manifest tells its hash", async () => {
  const inline = `data:image/png;base64,${png.toString("base64")}`;
  const url = `${node.store.origin}/images/start.png?token=secret`;
  node.allowHosts.push(new URL(node.store.origin).host);
  for (const [job, start] of Object.entries({
    none: undefined,
    inline: { url: inline, strength: 0.3 },
    fetched: { url, strength: 0.3 },
    redrawn: { url, strength: 1 },
  }))
    expect([job, last(await draw(job, start))?.event]).toEqual([job, "succeeded"]);
  expect(gif("fetched")).toBe(gif("inline"));
  expect(new Set(["none", "inline", "redrawn"].map(gif)).size).toBe(3);
  const sha256 = createHash("sha256").update(png).digest("hex");
  expect(manifest("fetched").used.start_image).toEqual({ sha256 });
  expect(manifest("inline").spec.clip.start_image).toEqual({ url: "data:", strength: 0.3 });
  expect(manifest("fetched").spec.clip.start_image.url).toEndWith("/images/start.png");
  expect(manifest("none").used).not.toHaveProperty("start_image");
});

test("an image that cannot be had or is none costs the job, not the node", async () => {
  node.allowHosts.length = 0;
  const failed = async (job: string, url: string) => last(await draw(job, { url, strength: 0.5 }))?.failed;
  expect(await failed("private", `${node.store.origin}/images/start.png`)).toMatchObject({
    code: "invalid_spec",
    retryable: false,
    message: expect.stringContaining("clip.start_image.url"),
  });
  node.allowHosts.push(new URL(node.store.origin).host);
  expect((await failed("absent", `${node.store.origin}/none.png`))?.message).toContain("answered 404");
  node.store.objects.set("images/text", new TextEncoder().encode("no picture"));
  expect((await failed("text", `${node.store.origin}/images/text`))?.message).toContain("not a picture");
  expect((await failed("wrong", "data:text/plain;base64,AAAA"))?.message).toContain("start_image");
});

test("FreeInit and FreeNoise are reachable: more sampling runs, other noise", async () => {
  const long = { num_frames: 16, num_inference_steps: 2 };
  for (const [job, more] of Object.entries({
    plain: long,
    refined: { ...long, free_init: 2 },
    independent: { ...long, free_noise: false },
  })) {
    const done = last(await draw(job, undefined, more))?.succeeded;
    expect([job, done?.receipt?.steps_total]).toEqual([job, job === "refined" ? 4 : 2]);
  }
  expect(new Set(["plain", "refined", "independent"].map(gif)).size).toBe(3);
});

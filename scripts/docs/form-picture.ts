// `bun scripts/docs/form-picture.ts [FILE]`: the picture of the form in the README, with a clip of the built-in pack.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openBrowser } from "@cartoon/edge/test/browser/chromium";
import sharp from "sharp";
import { root } from "../lib/root.ts";
import { nodeReady, type Stack, startStack } from "../lib/stack.ts";

const RENDER_MS = 300_000;

async function takePicture({ url }: Stack, file: string): Promise<void> {
  const { context, close } = await openBrowser();
  try {
    const page = await context.newPage();
    await page.setViewportSize({ width: 1120, height: 900 });
    await page.goto(url);
    await page.fill("#field-seed", "42");
    await page.click("#generate");
    const done = () => document.querySelector("#status")?.textContent === "Done.";
    await page.waitForFunction(done, undefined, { timeout: RENDER_MS });
    await page.waitForFunction(() => (document.querySelector("video")?.readyState ?? 0) >= 3);
    // Into the second line, so that a caption shows, and no longer moving.
    await page.evaluate(async () => {
      const video = document.querySelector("video");
      if (!video) return;
      video.pause();
      video.controls = false;
      const found = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
      video.currentTime = video.duration * 0.75;
      await found;
      scrollTo(0, 0);
    });
    await page.waitForTimeout(1_500);
    const picture = await page.screenshot();
    await sharp(picture).png({ palette: true, effort: 10 }).toFile(file);
  } finally {
    await close();
  }
}

const file = resolve(process.argv[2] ?? join(root, "docs/form.png"));
const folder = await mkdtemp(join(tmpdir(), "cartoon-picture-"));
const stack = await startStack({ host: "127.0.0.1", port: 0, dataDir: folder });
try {
  await nodeReady(stack.url);
  await takePicture(stack, file);
  console.log(file);
} finally {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
}

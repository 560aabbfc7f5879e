import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { BrowserContext, Page } from "playwright-core";
import { type Harness, startHarness } from "../harness.ts";
import { playThrough, type Script } from "../scripted-node.ts";
import { chromiumPath, openBrowser } from "./chromium.ts";

if (!chromiumPath)
  console.log("storyboards in a browser: left out, no Chromium found; set CHROMIUM to its path");

setDefaultTimeout(30_000);

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const media: Record<string, Uint8Array> = {
  "clip.mp4": readFileSync(new URL("clip.mp4", import.meta.url)),
  "captions.vtt": Buffer.from("WEBVTT\n\n00:00.000 --> 00:02.000\nHello!\n"),
};
let broken = "";

/** Plays through with a clip that a browser can play, but for the shot that is to fail. */
const script: Script = (run) => {
  if (broken !== "" && run.request.spec?.clip?.prompt.includes(broken)) throw new Error("no colour left");
  const upload = run.upload.bind(run);
  run.upload = (name, bytes) => upload(name, media[name] ?? bytes);
  return playThrough({ steps: 10, stepMs: 160 })(run);
};

describe.if(chromiumPath !== undefined)("the storyboard tab in Chromium", () => {
  let h: Harness;
  let context: BrowserContext;
  let close: () => Promise<void>;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    h = await startHarness({ script: async (run) => script(run) });
    ({ context, close } = await openBrowser());
    page = await context.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
  });
  afterAll(async () => {
    await close?.();
    await h?.stop();
  });

  const violations = async () => {
    await page.evaluate(axeSource);
    return page.evaluate(
      "axe.run({ preload: false }).then((r) => r.violations.map((v) => v.id + ' ' + v.nodes.map((n) => n.target).join(' ')))",
    );
  };
  const openTab = async () => {
    await page.goto(h.url);
    await page.check("#kind-storyboard", { force: true });
    await page.waitForSelector("#shots .shot");
  };
  const prompts = () =>
    page.$$eval("#shots textarea[name$=_prompt]", (all) =>
      all.map((one) => (one as HTMLTextAreaElement).value),
    );
  const done = () => page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
  const picture = async (name: string) => {
    const folder = process.env.SCREENSHOTS;
    if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  };

  test("three shots are there to begin with; more are added, moved and removed, by keyboard too", async () => {
    await openTab();
    expect(await page.isVisible("#field-prompt")).toBe(false);
    const first = await prompts();
    expect(first).toHaveLength(3);
    expect(first.every((prompt) => prompt.length > 5)).toBe(true);
    await page.focus("#add-shot");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("field-shot4_prompt");
    await page.keyboard.type("felfel dances");
    expect(await page.isVisible("#field-shot3_transition")).toBe(true);
    expect(await page.isVisible("#field-shot4_transition")).toBe(false);
    await page.click('[aria-label="Move up shot 4"]');
    expect(await prompts()).toEqual([first[0], first[1], "felfel dances", first[2]].map(String));
    expect(await page.textContent("#shots-said")).toBe("Shot 4 is now shot 3.");
    await page.click('[aria-label="Remove shot 1"]');
    expect(await prompts()).toEqual([first[1], "felfel dances", first[2]].map(String));
    expect(await page.isDisabled('[aria-label="Move up shot 1"]')).toBe(true);
    expect(await page.textContent(".shot:nth-child(2) legend")).toBe("Shot 2");
  });

  test("from Generate to the downloads, with the progress of each shot", async () => {
    await openTab();
    await page.fill("#field-title", "A day");
    await page.fill("#field-style", "at night");
    await page.selectOption("#field-shot1_transition", "0.5");
    await page.fill("#field-seed", "42");
    expect(await violations()).toEqual([]);
    await picture("storyboard-tab");
    await page.click("#generate");
    await page.waitForFunction(() =>
      /of 3 shots done/.test(document.querySelector("#status")?.textContent ?? ""),
    );
    await page.waitForFunction(() =>
      /drawing \d+\/10/.test(document.querySelector("#shots-progress")?.textContent ?? ""),
    );
    expect(await page.locator("#shots-progress progress").count()).toBe(3);
    const seen = () => document.querySelector("#shots-progress")?.getBoundingClientRect().top ?? -1;
    expect(await page.evaluate(seen)).toBeGreaterThan(0);
    await picture("storyboard-progress");
    await done();
    await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 0.1);
    const cues = () =>
      [...(document.querySelector("video")?.textTracks ?? [])].map((one) => [one.mode, one.cues?.length]);
    expect(await page.evaluate(cues)).toEqual([["showing", 1]]);
    expect(await page.locator("#downloads a").count()).toBe(6);
    expect(await page.textContent("#same-seed")).toContain("42");
    expect(await page.textContent("#history")).toContain("A day");
    expect(await page.textContent("#warnings")).toContain("shot 1, clip.width");
    expect(await violations()).toEqual([]);
    await picture("storyboard-done");
    const [made] = (await h.call("GET", "/v1/storyboards")).body.storyboards;
    expect(made).toMatchObject({ title: "A day", status: "succeeded", shots_done: 3 });
    expect(made.shots[0].transition).toEqual({ type: "crossfade", seconds: 0.5 });
    await page.click("#share");
    await page.waitForSelector("#shared a");
    await page.reload();
    await page.waitForSelector("#media video", { state: "attached" });
    expect(await page.locator("#shots-progress li").count()).toBe(3);
  });

  test("a failed shot is named, and made after all", async () => {
    broken = "reads quietly";
    await openTab();
    await page.fill("#field-shot2_prompt", "felfel reads quietly");
    await page.click("#generate");
    await page.waitForSelector("#retry:not([hidden])");
    expect(await page.textContent("#error")).toContain("shot 2 of 3");
    expect(await page.textContent("#shots-progress li:nth-child(2)")).toContain("no colour left");
    expect(await violations()).toEqual([]);
    broken = "";
    await page.click("#retry");
    await done();
    expect(await page.isVisible("#retry")).toBe(false);
  });

  test("cancel ends every shot; the request is copied as code", async () => {
    await openTab();
    await page.click("#generate");
    await page.waitForFunction(() =>
      /drawing/.test(document.querySelector("#shots-progress")?.textContent ?? ""),
    );
    await page.click("#cancel");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Canceled.");
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.click("[data-copy=curl]");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent?.startsWith("Copied"));
    const code = await page.evaluate(() => navigator.clipboard.readText());
    expect(code).toContain("/v1/storyboards");
    expect(code).toContain('"shots"');
  });

  test("fits a phone, in the dark, without anything for axe to find", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: "dark" });
    await openTab();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
    expect(await violations()).toEqual([]);
    await picture("storyboard-phone");
    expect(problems).toEqual([]);
  });
});

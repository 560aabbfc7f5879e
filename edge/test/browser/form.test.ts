import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createKey, openDatabase } from "@cartoon/db";
import type { BrowserContext, Page } from "playwright-core";
import { loraFile, wavFile } from "../character-files.ts";
import { type Harness, startHarness } from "../harness.ts";
import { playThrough, type Script } from "../scripted-node.ts";
import { chromiumPath, openBrowser } from "./chromium.ts";

if (!chromiumPath) console.log("form in a browser: left out, no Chromium found; set CHROMIUM to its path");

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const media: Record<string, Uint8Array> = {
  "clip.mp4": readFileSync(new URL("clip.mp4", import.meta.url)),
  "captions.vtt": Buffer.from("WEBVTT\n\n00:00.000 --> 00:02.000\nHello!\n"),
};

/** A WAV of 8 kHz that a browser can play. */
function tone(seconds: number): Uint8Array {
  const samples = Math.round(seconds * 8000);
  const wav = Buffer.alloc(44 + 2 * samples);
  wav.write("RIFF", 0);
  wav.writeUInt32LE(36 + 2 * samples, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(16_000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(2 * samples, 40);
  for (let i = 0; i < samples; i++) wav.writeInt16LE(Math.round(3000 * Math.sin(i * 0.3)), 44 + 2 * i);
  return wav;
}

/** Plays a render through with a clip that a browser can play. */
const playable =
  (options: Parameters<typeof playThrough>[0]): Script =>
  (run) => {
    const upload = run.upload.bind(run);
    run.upload = (name, bytes) => upload(name, media[name] ?? bytes);
    return playThrough(options)(run);
  };

describe.if(chromiumPath !== undefined)("the form in Chromium", () => {
  let h: Harness;
  let context: BrowserContext;
  let close: () => Promise<void>;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    h = await startHarness({ script: playable({ steps: 20, stepMs: 20 }) });
    ({ context, close } = await openBrowser());
    page = await context.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && message.text().includes("Content Security"))
        problems.push(message.text());
    });
  });
  afterAll(async () => {
    await close?.();
    await h?.stop();
  });

  const violations = async () => {
    await page.evaluate(axeSource);
    const found = await page.evaluate(
      "axe.run({ preload: false }).then((r) => r.violations.map((v) => v.id + ' ' + v.nodes.map((n) => n.target).join(' ')))",
    );
    return found as string[];
  };

  test("the two-character example, from Generate to the downloads", async () => {
    await page.goto(h.url);
    await page.fill("#field-seed", "42");
    await page.click("#generate");
    await page.waitForFunction(() =>
      /step \d+ of 20/.test(document.querySelector("#status")?.textContent ?? ""),
    );
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
    expect(await page.locator("#media video track").count()).toBe(1);
    await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 0.2);
    const cues = () =>
      [...(document.querySelector("video")?.textTracks ?? [])].map((one) => [one.mode, one.cues?.length]);
    expect(await page.evaluate(cues)).toEqual([["showing", 1]]);
    expect(await page.locator("#downloads a").count()).toBeGreaterThan(4);
    expect(await page.textContent("#warnings")).toContain("native size, scaled up");
    expect(await page.textContent("#same-seed")).toContain("42");
    expect(await page.locator("#history li").count()).toBe(1);
    const { renders } = (await h.call("GET", "/v1/renders")).body;
    expect(renders[0].spec.clip.characters).toMatchObject([
      { name: "temo", weight: 0.5 },
      { name: "felfel", weight: 0.5 },
    ]);
    expect(await violations()).toEqual([]);
    await page.click("#share");
    await page.waitForSelector("#shared a");
    await page.reload();
    await page.waitForSelector("#media video", { state: "attached" });
  });

  test("the first sentences can be heard while the rest is made", async () => {
    const { promise: heard, resolve: go } = Promise.withResolvers<void>();
    h.node.script = playable({ steps: 1, speechParts: [tone(0.4), tone(0.5)], meanwhile: heard });
    await page.goto(h.url);
    await page.click("#generate");
    await page.waitForSelector("#first-sentences:not([hidden])");
    // Progress comes on a way of its own, and may be later than what is to be heard.
    await page.waitForFunction(() =>
      document.querySelector("#status")?.textContent?.includes("of about 3.0 s of speech"),
    );
    expect(await violations()).toEqual([]);
    await page.evaluate(() => document.querySelector<HTMLAudioElement>("#first-sentences")?.play());
    // The second part goes on by itself where the first one ends.
    await page.waitForFunction(() => {
      const audio = document.querySelector<HTMLAudioElement>("#first-sentences");
      return audio && audio.duration > 0.45 && audio.currentTime > 0;
    });
    go();
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
    await page.waitForSelector("#first-sentences", { state: "hidden" });
    h.node.script = playable({ steps: 20, stepMs: 20 });
  });

  test("what happens while the job is fetched is shown, although the answer is older", async () => {
    const { promise: beforeSpeech, resolve: speak } = Promise.withResolvers<void>();
    const { promise: meanwhile, resolve: go } = Promise.withResolvers<void>();
    h.node.script = playable({ steps: 1, speechParts: [tone(0.4), tone(0.5)], beforeSpeech, meanwhile });
    const job = /\/v1\/renders\/[^/]+$/;
    await page.route(job, async (route) => {
      const response = await route.fetch();
      if ((await response.json()).stage === "denoise") {
        speak();
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      await route.fulfill({ response });
    });
    await page.goto(h.url);
    await page.click("#generate");
    await page.waitForFunction(() =>
      document.querySelector("#status")?.textContent?.includes("1.5 of about"),
    );
    go();
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
    await page.unroute(job);
    h.node.script = playable({ steps: 20, stepMs: 20 });
  });

  test("sentences that were spoken again are heard as they are in the end", async () => {
    const { promise: heard, resolve: go } = Promise.withResolvers<void>();
    const speechParts = [tone(0.3), tone(0.4), tone(0.6)];
    h.node.script = playable({ steps: 1, speechParts, attempts: [0, 0, 1], meanwhile: heard });
    await page.goto(h.url);
    await page.click("#generate");
    await page.waitForFunction(() => {
      const audio = document.querySelector<HTMLAudioElement>("#first-sentences");
      return audio && audio.duration > 0.55;
    });
    go();
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
    h.node.script = playable({ steps: 20, stepMs: 20 });
  });

  test("axe finds nothing, in light and in dark, on every page", async () => {
    for (const path of ["/", "/characters"]) {
      await page.goto(h.url + path);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([path, colorScheme, await violations()]).toEqual([path, colorScheme, []]);
      }
    }
  });

  test("the request is copied as code for three languages", async () => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(h.url);
    for (const [language, expected] of [
      ["curl", "curl -X POST"],
      ["typescript", "await fetch("],
      ["python", "urllib.request"],
    ] as const) {
      await page.click(`[data-copy=${language}]`);
      await page.waitForFunction(
        (text) => document.querySelector("#status")?.textContent?.startsWith(text),
        "Copied",
      );
      const code = await page.evaluate(() => navigator.clipboard.readText());
      expect(code).toContain(expected);
      expect(code).toContain("/v1/renders");
    }
  });

  test("the keyboard alone is enough", async () => {
    await page.goto(h.url);
    await page.focus("#kind-combined");
    await page.keyboard.press("ArrowRight");
    expect(await page.isChecked("#kind-animation")).toBe(true);
    expect(await page.isVisible("#field-dialogue")).toBe(false);
    await page.focus("#field-blend");
    await page.keyboard.press("ArrowRight");
    expect(await page.textContent('output[data-for="blend"]')).toBe("45 : 55");
    await page.focus("#generate");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
  });

  test("suggestions follow the character, and Arabic runs from right to left", async () => {
    await page.goto(h.url);
    await page.selectOption("#field-character", "felfel");
    expect(await page.inputValue("#field-prompt")).toContain("felfel");
    expect(await page.isVisible("#field-blend")).toBe(false);
    await page.fill("#field-prompt", "تيمو على القمر");
    expect(await page.$eval("#field-prompt", (field) => getComputedStyle(field).direction)).toBe("rtl");
    await page.selectOption("#field-character", "temo");
    expect(await page.inputValue("#field-prompt")).toBe("تيمو على القمر");
  });

  test("a character is registered with files, chosen for a clip, and deleted", async () => {
    await page.goto(`${h.url}/characters`);
    await page.fill("#new-name", "nana");
    await page.fill("#new-label", "Nana");
    await page.fill("#new-triggers", "nana, granny");
    const file = (name: string, bytes: Uint8Array) => ({
      ...{ name, mimeType: "application/octet-stream" },
      buffer: Buffer.from(bytes),
    });
    await page.setInputFiles("#new-lora", file("nana.safetensors", loraFile()));
    await page.setInputFiles("#new-voice", file("nana.wav", wavFile(2)));
    await page.fill("#new-transcript", "Hello my dear.");
    await page.click("text=Register >> nth=-1");
    await page.waitForSelector("text=nana is registered.");
    expect(await page.textContent('section[aria-label="Your characters"]')).toContain(
      "trigger words: nana, granny",
    );
    expect(await violations()).toEqual([]);
    await page.click('section[aria-label="Your characters"] a');
    expect(await page.inputValue("#field-character")).toBe("nana");
    await page.fill("#field-prompt", "nana knits");
    await page.fill("#field-dialogue", "Nana: One more row.");
    await page.click("#generate");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Done.");
    const { renders } = (await h.call("GET", "/v1/renders?limit=1")).body;
    expect(renders[0].spec.registered).toMatchObject([{ name: "nana", transcript: "Hello my dear." }]);
    await page.goto(`${h.url}/characters`);
    await page.click('[aria-label="Delete Nana"] button');
    await page.waitForSelector("text=nana is deleted.");
  });

  test("a phone's width is enough, and a wrong field is named", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(h.url);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
    await page.fill("#field-seed", "99999999999999999999");
    await page.click("#generate");
    await page.waitForSelector("#error:not([hidden])");
    expect(await page.textContent("#error")).toContain("seed");
  });

  test("where keys are needed, it sends the key and polls", async () => {
    const keyed = await startHarness({
      script: playable({ steps: 4, stepMs: 20 }),
      env: { CARTOON_AUTH: "keys" },
    });
    try {
      const db = await openDatabase(join(keyed.dataDir, "cartoon.db"));
      const { token } = await createKey(db, { tenant: "alice", name: "alice" });
      await db.close();
      await page.goto(keyed.url);
      await page.fill("#field-api_key", "ck_wrong");
      await page.click("#generate");
      await page.waitForSelector("#error:not([hidden])");
      await keyed.call(
        "POST",
        "/v1/characters",
        { name: "nana", voice_seed: 1 },
        { authorization: `Bearer ${token}` },
      );
      await page.fill("#field-api_key", token);
      await page.press("#field-api_key", "Tab");
      await page.waitForSelector('#field-character option[value="nana"]', { state: "attached" });
      await page.click("[data-copy=curl]");
      const code = () => navigator.clipboard.readText();
      await page.waitForFunction(() => document.querySelector("#status")?.textContent?.startsWith("Copied"));
      expect(await page.evaluate(code)).toContain("Bearer $CARTOON_API_KEY");
      await page.click("#generate");
      await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 0.1);
    } finally {
      await keyed.stop();
    }
  });

  test("the demo says that the settings are valid", async () => {
    const demo = await startHarness({ env: { CARTOON_DEMO: "1" } });
    try {
      await page.goto(demo.url);
      await page.click("#generate");
      await page.waitForFunction(() => /^Demo/.test(document.querySelector("#status")?.textContent ?? ""));
    } finally {
      await demo.stop();
    }
  });

  test("cancel ends a render", async () => {
    h.node.script = playable({ steps: 400, stepMs: 20 });
    await page.goto(h.url);
    await page.click("#generate");
    await page.waitForFunction(() => /step/.test(document.querySelector("#status")?.textContent ?? ""));
    await page.click("#cancel");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent === "Canceled.");
    expect(problems).toEqual([]);
  });
});

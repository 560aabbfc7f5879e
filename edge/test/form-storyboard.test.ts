import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Harness, sleep, startHarness } from "./harness.ts";
import { playThrough } from "./scripted-node.ts";

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(() => h.stop());

const html = { accept: "text/html" };
const post = (on: Harness, path: string, fields: Record<string, string> = {}) =>
  fetch(on.url + path, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });

const FIELDS = {
  kind: "storyboard",
  title: "A day",
  style: "at night",
  captions: "yes",
  fit: "hold",
  num_frames: "8",
  shot1_character: "both",
  shot1_prompt: "temo and felfel wave",
  shot1_dialogue: "Temo: Hello! Felfel: Hi!",
  shot1_transition: "0.5",
  shot2_character: "felfel",
  shot2_prompt: "felfel reads",
  shot2_dialogue: "",
  shot2_transition: "cut",
  shot3_character: "temo",
  shot3_prompt: "temo sleeps",
  shot3_dialogue: "",
  shot3_transition: "1",
};

async function pageWhenOver(on: Harness, path: string): Promise<string> {
  for (;;) {
    const { status, body } = await on.call("GET", path, undefined, html);
    expect(status).toBe(200);
    if (!body.includes('http-equiv="refresh"')) return body;
    await sleep(20);
  }
}

describe("a storyboard without JavaScript", () => {
  test("three shots are submitted, followed and shown as one clip", async () => {
    const answer = await post(h, "/form/render", FIELDS);
    expect(answer.status).toBe(303);
    const page = await pageWhenOver(h, answer.headers.get("location") ?? "");
    expect(page).toContain("A day");
    expect(page).toContain("<video controls");
    expect(page).toContain('<track kind="captions"');
    expect(page.match(/aria-label="Progress of shot \d"/g)).toHaveLength(3);
    expect(page).toContain("2. felfel reads, at night");
    const [made] = (await h.call("GET", "/v1/storyboards")).body.storyboards;
    expect(made).toMatchObject({ title: "A day", status: "succeeded" });
    expect(made.shots.map(({ transition }: { transition: unknown }) => transition)).toEqual([
      { type: "crossfade", seconds: 0.5 },
      { type: "cut", seconds: 0 },
      null,
    ]);
    const names = made.shots.map(({ characters }: { characters: { name: string }[] }) =>
      characters.map(({ name }) => name),
    );
    expect(names).toEqual([["temo", "felfel"], ["felfel"], ["temo"]]);
  });

  test("a shot without a prompt is left out; a bad field costs nothing of what was typed", async () => {
    const two = await post(h, "/form/render", { ...FIELDS, shot2_prompt: " " });
    const page = await pageWhenOver(h, two.headers.get("location") ?? "");
    expect(page.match(/aria-label="Progress of shot \d"/g)).toHaveLength(2);
    const bad = await post(h, "/form/render", { ...FIELDS, shot2_dialogue: "Bob: Hello <there>!" });
    expect(bad.status).toBe(422);
    const again = await bad.text();
    expect(again).toContain("#/shots/1/dialogue");
    expect(again).toContain("Bob: Hello &lt;there&gt;!");
    expect(again).toMatch(/id="kind-storyboard" value="storyboard" checked/);
  });

  test("a failed shot is named, and made after all by a button", async () => {
    let broken = true;
    const play = playThrough();
    const on = await startHarness({
      script: async (run) => {
        if (broken && run.request.spec?.clip?.prompt.startsWith("felfel")) throw new Error("no colour left");
        await play(run);
      },
    });
    try {
      const location = (await post(on, "/form/render", FIELDS)).headers.get("location") ?? "";
      const page = await pageWhenOver(on, location);
      expect(page).toContain("shot 2 of 3");
      expect(page).toContain("no colour left");
      const retry = /action="([^"]+\/retry[^"]*)"/.exec(page)?.[1]?.replaceAll("&amp;", "&") ?? "";
      broken = false;
      expect((await post(on, retry)).status).toBe(303);
      expect(await pageWhenOver(on, location)).toContain("<video controls");
    } finally {
      await on.stop();
    }
  });
});

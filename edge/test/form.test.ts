import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createKey, openDatabase } from "@cartoon/db";
import { issueTicket } from "../src/form/ticket.ts";
import { loraFile, wavFile } from "./character-files.ts";
import { type Harness, startHarness } from "./harness.ts";

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(() => h.stop());

const html = { accept: "text/html" };
const FIELDS = {
  kind: "combined",
  character: "both",
  blend: "50",
  prompt: "temo and felfel on the moon",
  dialogue: "[S1] Temo: Hello! [S2] Felfel: Hi!",
  seed: "42",
  captions: "yes",
};

const post = (on: Harness, path: string, fields: Record<string, string> = {}) =>
  fetch(on.url + path, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });

async function pageWhenOver(on: Harness, path: string): Promise<string> {
  for (;;) {
    const { status, body } = await on.call("GET", path, undefined, html);
    expect(status).toBe(200);
    if (!body.includes('http-equiv="refresh"')) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("without JavaScript", () => {
  test("a clip is submitted, followed and shared", async () => {
    const answer = await post(h, "/form/render", FIELDS);
    expect(answer.status).toBe(303);
    const page = await pageWhenOver(h, answer.headers.get("location") ?? "");
    expect(page).toContain("<video controls");
    expect(page).toContain('<track kind="captions"');
    expect(page).toContain("native size, scaled up");
    const share = /action="([^"]+\/share[^"]*)"/.exec(page)?.[1] ?? "";
    const shared = (await post(h, share)).headers.get("location") ?? "";
    expect(shared).toStartWith("/s/");
    const { body, headers } = await h.call("GET", shared, undefined, html);
    expect(body).toContain("<video controls");
    expect(body).not.toContain("<form");
    expect(headers.get("x-robots-tag")).toBe("noindex");
  });

  test("a bad field costs nothing of what was typed", async () => {
    const answer = await post(h, "/form/render", { ...FIELDS, prompt: 'a "quoted" <prompt>', seed: "-3" });
    const page = await answer.text();
    expect(answer.status).toBe(422);
    expect(page).toContain("#/seed");
    expect(page).toContain("a &quot;quoted&quot; &lt;prompt&gt;");
  });

  test("suggestions of the characters open in the form", async () => {
    const { body } = await h.call("GET", "/characters", undefined, html);
    const link = /href="(\/\?character=temo[^"]*)"/.exec(body)?.[1]?.replaceAll("&amp;", "&") ?? "";
    expect((await h.call("GET", link, undefined, html)).body).toMatch(/value="temo"\s+selected/);
  });
});

describe("the characters page, without JavaScript", () => {
  const send = (on: Harness, parts: Record<string, string | Uint8Array>, headers = {}) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(parts)) {
      if (typeof value === "string") form.append(name, value);
      else form.append(name, new Blob([new Uint8Array(value)]), `${name}.bin`);
    }
    return fetch(`${on.url}/characters`, { method: "POST", body: form, headers });
  };
  // As a browser sends it: fields that were left empty are there.
  const empty = {
    label: "",
    triggers: "",
    lora_url: "",
    weight: "1",
    voice_url: "",
    voice_seed: "",
    speaker: "S1",
  };

  test("registers one, which is in the dropdown then, and deletes it", async () => {
    const parts = {
      name: "nana",
      ...empty,
      lora: loraFile(),
      voice: wavFile(2),
      transcript: "Hello my dear.",
    };
    const answer = await send(h, parts);
    expect(answer.status).toBe(201);
    const page = await answer.text();
    expect(page).toContain("nana is registered.");
    expect(page).toContain("LoRA: peft, rank 4");
    expect(page).toContain("voice clip: wav, 2 s");
    const form = (await h.call("GET", "/", undefined, html)).body;
    expect(form).toContain('<option value="nana"');
    const made = await post(h, "/form/render", { ...FIELDS, character: "nana", dialogue: "Nana: Hello!" });
    expect(made.status).toBe(303);
    expect(h.node.runs.length).toBeGreaterThan(0);
    const gone = await post(h, "/characters/nana/delete");
    expect(await gone.text()).toContain("nana is deleted.");
    expect((await h.call("GET", "/", undefined, html)).body).not.toContain('<option value="nana"');
  });

  test("says what is wrong and keeps what was typed; other sites can't use it", async () => {
    const answer = await send(h, { name: "nana", ...empty, label: 'N"><b>', lora: Buffer.from("no LoRA") });
    expect(answer.status).toBe(422);
    const page = await answer.text();
    expect(page).toContain("not a valid safetensors file");
    expect(page).toContain("N&quot;&gt;&lt;b&gt;");
    const cross = await send(h, { name: "nana", voice_seed: "1" }, { "sec-fetch-site": "cross-site" });
    expect(cross.status).toBe(403);
    expect((await h.call("GET", "/v1/characters/nana")).status).toBe(404);
  });

  test("where keys are needed, no file is read before the key", async () => {
    const keyed = await startHarness({ env: { CARTOON_AUTH: "keys" } });
    try {
      const db = await openDatabase(join(keyed.dataDir, "cartoon.db"));
      const { token } = await createKey(db, { tenant: "alice", name: "alice" });
      await db.close();
      const wrong: Record<string, string>[] = [{ api_key: "ck_wrong" }, {}];
      for (const key of wrong) {
        const refused = await send(keyed, { ...key, name: "nana", lora: loraFile() });
        expect(refused.status).toBe(401);
        expect(await refused.text()).not.toContain("ck_wrong");
      }
      expect(await readdir(join(keyed.dataDir, "incoming")).catch(() => [])).toEqual([]);
      const answer = await send(keyed, { api_key: token, name: "nana", ...empty, lora: loraFile() });
      expect([answer.status, (await answer.text()).includes(token)]).toEqual([201, false]);
      expect((await keyed.call("GET", "/characters", undefined, html)).body).not.toContain("nana");
      const list = await post(keyed, "/characters/list", { api_key: token });
      expect(await list.text()).toContain("nana");
      expect((await post(keyed, "/characters/nana/delete", { api_key: "ck_wrong" })).status).toBe(401);
      expect((await post(keyed, "/characters/nana/delete", { api_key: token })).status).toBe(200);
    } finally {
      await keyed.stop();
    }
  });
});

test("share links expire, can't be changed, and stand for one use only", async () => {
  const { body } = await h.call("POST", "/v1/renders", { prompt: "temo waves" });
  await h.finished(body.id);
  const headers = { accept: "application/json" };
  const { url, expires_at } = (await h.call("POST", `/form/jobs/${body.id}/share`, undefined, headers)).body;
  expect(Date.parse(expires_at)).toBeGreaterThan(Date.now());
  const path = url.slice(h.url.length);
  expect((await h.call("GET", path)).status).toBe(200);
  expect((await h.call("GET", `${path.slice(0, -3)}AAA`)).body.code).toBe("bad_signature");
  const secret = await readFile(join(h.dataDir, "secret"), "utf8");
  const now = Math.floor(Date.now() / 1000);
  const late = issueTicket(secret.trim(), { use: "show", id: body.id, exp: now - 1 });
  expect((await h.call("GET", `/s/${body.id}?ticket=${late}`)).body.code).toBe("bad_signature");
  const other = issueTicket(secret.trim(), { use: "follow", id: body.id, exp: now + 60 });
  expect((await h.call("GET", `/s/${body.id}?ticket=${other}`)).body.code).toBe("bad_signature");
});

test("where keys are needed, the key travels in the form and a ticket from then on", async () => {
  const keyed = await startHarness({ env: { CARTOON_AUTH: "keys" } });
  try {
    const db = await openDatabase(join(keyed.dataDir, "cartoon.db"));
    const { token } = await createKey(db, { tenant: "alice", name: "alice" });
    await db.close();
    const refused = await post(keyed, "/form/render", { ...FIELDS, api_key: "ck_wrong" });
    expect([refused.status, (await refused.text()).includes("ck_wrong")]).toEqual([401, false]);
    const location = (await post(keyed, "/form/render", { ...FIELDS, api_key: token })).headers.get(
      "location",
    );
    expect(await pageWhenOver(keyed, location ?? "")).toContain("<video controls");
    expect((await keyed.call("GET", location?.split("?")[0] ?? "")).status).toBe(401);
  } finally {
    await keyed.stop();
  }
});

test("the demo checks everything and renders nothing", async () => {
  const demo = await startHarness({ env: { CARTOON_DEMO: "1" } });
  try {
    expect((await demo.call("GET", "/", undefined, html)).body).toContain("nothing is rendered");
    expect((await demo.call("POST", "/v1/estimate", { prompt: "temo waves" })).status).toBe(200);
    expect((await demo.call("POST", "/v1/estimate", { prompt: "x", seed: -1 })).status).toBe(422);
    expect((await demo.call("POST", "/v1/renders", { prompt: "temo waves" })).status).toBe(503);
    expect((await demo.call("GET", "/v1/renders")).body.renders).toEqual([]);
  } finally {
    await demo.stop();
  }
});

test("the first load is at most 100 kB, and the policy lets no foreign script in", async () => {
  const page = await fetch(`${h.url}/`, { headers: html });
  let bytes = (await page.arrayBuffer()).byteLength;
  for (const file of ["form.css", "form.js", "storyboard.js", "icon.svg"])
    bytes += (await (await fetch(`${h.url}/form/${file}`)).arrayBuffer()).byteLength;
  expect(bytes).toBeLessThan(100_000);
  expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createKey, openDatabase, takeReleasedAssets } from "@cartoon/db";
import { sweepAssets } from "../src/characters/sweep.ts";
import { FolderStore } from "../src/store/folder.ts";
import { type FileServer, loraFile, safetensorsOf, serveFiles, sha256, wavFile } from "./character-files.ts";
import { type Harness, startHarness } from "./harness.ts";

let h: Harness;
let web: FileServer;
const tokens: Record<string, string> = {};
const bearer = (name: string) => ({ authorization: `Bearer ${tokens[name]}` });

beforeAll(async () => {
  web = await serveFiles({
    "/nana.safetensors": loraFile(),
    "/nana.wav": wavFile(2),
    "/page": Buffer.from("<html>"),
  });
  h = await startHarness({ env: { CARTOON_AUTH: "keys", CARTOON_FETCH_ALLOW: web.host } });
  const db = await openDatabase(join(h.dataDir, "cartoon.db"));
  for (const tenant of ["alice", "bob"])
    tokens[tenant] = (await createKey(db, { tenant, name: tenant })).token;
  tokens.reader = (await createKey(db, { tenant: "alice", name: "reader", scopes: ["read"] })).token;
  await db.close();
});
afterAll(async () => {
  await h.stop();
  web.close();
});

type Part = string | Uint8Array;

async function upload(parts: Record<string, Part>, who = "alice") {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, new Blob([new Uint8Array(value)]), `${name}.bin`);
  }
  const response = await fetch(`${h.url}/v1/characters`, {
    method: "POST",
    body: form,
    headers: bearer(who),
  });
  return { status: response.status, body: await response.json() };
}
const post = (body: object, who = "alice") => h.call("POST", "/v1/characters", body, bearer(who));
const get = (path: string, who = "alice") => h.call("GET", path, undefined, bearer(who));
const remove = (name: string, who = "alice") =>
  h.call("DELETE", `/v1/characters/${name}`, undefined, bearer(who));
const stored = async () =>
  (await readdir(join(h.dataDir, "store/assets"), { recursive: true }).catch(() => [])).filter((name) =>
    /[0-9a-f]{64}$/.test(name),
  );

describe("registering", () => {
  test("files in a form are kept under their content's hash, and the character is in every list", async () => {
    const answer = await upload({
      name: "nana",
      label: "Nana",
      triggers: "nana, granny",
      speaker: "S2",
      weight: "0.8",
      suggestions: JSON.stringify([{ prompt: "nana knits", dialogue: "Nana: One more row." }]),
      lora: loraFile(),
      voice: wavFile(2),
      transcript: "Hello my dear.",
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      name: "nana",
      triggers: ["nana", "granny"],
      weight: 0.8,
      pair_weight: 0.4,
      lora: { sha256: sha256(loraFile()), format: "peft", rank: 4, layers: { unet: 1 }, convolutions: false },
      voice: {
        clip: { sha256: sha256(wavFile(2)), format: "wav", seconds: 2 },
        transcript: "Hello my dear.",
      },
    });
    expect((await stored()).map((name) => name.split("/").at(-1)).sort()).toEqual(
      [sha256(loraFile()), sha256(wavFile(2))].sort(),
    );
    for (const path of ["/v1/characters", "/api/characters"]) {
      const { characters } = (await get(path)).body;
      expect(
        characters.map((one: { name: string; registered: boolean }) => [one.name, one.registered]),
      ).toEqual([
        ["temo", false],
        ["felfel", false],
        ["nana", true],
      ]);
    }
    const info = (await get("/config")).body;
    expect(JSON.stringify(info.components)).toContain('"nana"');
    expect((await get("/v1/characters/nana")).body.label).toBe("Nana");
  });

  test("by URL, and again under the same name: replaced as a whole", async () => {
    const body = {
      name: "remote",
      lora_url: `${web.origin}/nana.safetensors`,
      voice_url: `${web.origin}/nana.wav`,
      transcript: "Hi.",
    };
    expect((await post(body)).status).toBe(201);
    const again = await post({ name: "remote", lora_url: `${web.origin}/nana.safetensors` });
    expect(again).toMatchObject({
      status: 200,
      body: { label: "remote", voice: { clip: null, transcript: "" } },
    });
    // The same content as nana's: stored once.
    expect((await stored()).length).toBe(2);
    expect((await remove("remote")).status).toBe(204);
    expect((await get("/v1/characters/remote")).status).toBe(404);
  });

  test("is nobody else's", async () => {
    expect((await get("/v1/characters/nana", "bob")).status).toBe(404);
    expect((await remove("nana", "bob")).status).toBe(404);
    expect((await get("/v1/characters", "bob")).body.characters).toHaveLength(2);
    const render = await h.call("POST", "/v1/renders", { prompt: "x", characters: ["nana"] }, bearer("bob"));
    expect(render.body.detail).toContain('there is no character "nana"; known: temo, felfel');
    expect((await upload({ name: "mine", voice_seed: "7" }, "reader")).status).toBe(403);
    expect((await fetch(`${h.url}/v1/characters`, { method: "POST", body: new FormData() })).status).toBe(
      401,
    );
  });
});

describe("what is refused costs nothing else", () => {
  const pair = { "unet.x.lora_A.weight": [4, 8], "unet.x.lora_B.weight": [8, 4] };
  test.each([
    ["a name of the pack", { name: "temo", voice_seed: "1" }, 409, '"temo" is a character of the pack'],
    ["a name that means more", { name: "both", voice_seed: "1" }, 422, "#/name"],
    ["nothing at all", { name: "nobody" }, 422, "a LoRA, a voice clip or a voice seed"],
    ["a clip without words", { name: "mute", voice: wavFile(2) }, 422, "#/transcript"],
    ["words without a clip", { name: "mute", voice_seed: "1", transcript: "Hi." }, 422, "#/transcript"],
    [
      "no safetensors",
      { name: "bad", lora: Buffer.from("PK\u0003\u0004 not this") },
      422,
      "not a valid safetensors",
    ],
    [
      "LoHa",
      { name: "bad", lora: safetensorsOf({ "lora_unet_x.hada_w1_a": [2, 2] }) },
      422,
      "LoHa, LoKr, DoRA",
    ],
    [
      "DoRA",
      { name: "bad", lora: safetensorsOf({ ...pair, "unet.x.dora_scale": [8, 1] }) },
      422,
      "LoHa, LoKr, DoRA",
    ],
    ["a checkpoint", { name: "bad", lora: safetensorsOf({ "model.w": [2] }) }, 422, "none of its 1 tensors"],
    ["a LoRA cut short", { name: "bad", lora: loraFile().subarray(0, -4) }, 422, "leave the file"],
    [
      "a header bomb",
      { name: "bad", lora: Buffer.concat([Buffer.from([0, 0, 0, 0x7f, 0, 0, 0, 0]), loraFile()]) },
      422,
      "header length",
    ],
    [
      "a voice that is a page",
      { name: "bad", voice: Buffer.from("<html>"), transcript: "Hi." },
      422,
      "no WAV, FLAC",
    ],
    ["a clip too long", { name: "bad", voice: wavFile(31), transcript: "Hi." }, 422, "31.0 s long"],
    ["a clip too short", { name: "bad", voice: wavFile(0.2), transcript: "Hi." }, 422, "0.2 s long"],
    ["a file of another name", { name: "bad", virus: loraFile() }, 422, "files are lora and voice"],
    ["an unknown field", { name: "bad", voice_seed: "1", colour: "red" }, 422, "colour"],
    ["a weight off the scale", { name: "bad", voice_seed: "1", weight: "9" }, 422, "#/weight"],
  ] as [string, Record<string, Part>, number, string][])("%s", async (_, parts, status, words) => {
    const before = (await stored()).length;
    const answer = await upload(parts);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(words.replaceAll('"', '\\"'));
    expect(
      (await get("/v1/characters")).body.characters.map((one: { name: string }) => one.name),
    ).not.toContain("bad");
    expect((await stored()).length).toBe(before);
    expect(await readdir(join(h.dataDir, "incoming"))).toEqual([]);
  });

  test("addresses that are private, missing or no LoRA", async () => {
    const by = async (lora_url: string) => (await post({ name: "bad", lora_url })).body;
    expect((await by("http://127.0.0.1:9/x")).errors[0]).toMatchObject({
      pointer: "#/lora_url",
      detail: expect.stringContaining("not on the public internet"),
    });
    expect((await by(`${web.origin}/none`)).detail).toContain("the server answered 404");
    expect((await by(`${web.origin}/page`)).detail).toContain("not a valid safetensors file");
    expect((await by("file:///etc/passwd")).detail).toContain("lora_url");
  });

  test("a form that is too large is cut off, one without a boundary is not read", async () => {
    const small = await startHarness({
      env: { CARTOON_MAX_UPLOAD_BYTES: "4096", CARTOON_TENANT_FILE_BYTES: "1024" },
    });
    const room = async (name: string, value: number) => {
      const form = new FormData();
      form.append("name", name);
      form.append("lora", new Blob([new Uint8Array(loraFile(value))]), "x.safetensors");
      const answer = await fetch(`${small.url}/v1/characters`, { method: "POST", body: form });
      return [answer.status, (await answer.json()).code];
    };
    expect(await room("one", 0.1)).toEqual([201, undefined]);
    expect(await room("two", 0.1)).toEqual([201, undefined]);
    expect(await room("three", 0.2)).toEqual([201, undefined]);
    expect(await room("four", 0.3)).toEqual([429, "quota_exceeded"]);
    const form = new FormData();
    form.append("name", "big");
    form.append("lora", new Blob([new Uint8Array(1_000_000)]), "big.safetensors");
    const answer = await fetch(`${small.url}/v1/characters`, { method: "POST", body: form });
    expect([answer.status, (await answer.json()).code]).toEqual([413, "too_large"]);
    await small.stop();
    const broken = await fetch(`${h.url}/v1/characters`, {
      method: "POST",
      body: "x",
      headers: { ...bearer("alice"), "content-type": "multipart/form-data" },
    });
    expect(broken.status).toBe(400);
    expect(
      (await h.call("POST", "/v1/characters", "name=x", { ...bearer("alice"), "content-type": "text/plain" }))
        .status,
    ).toBe(415);
  });
});

describe("rendering with it", () => {
  const submit = async (body: object, who = "alice") => {
    const answer = await h.call("POST", "/v1/renders", body, bearer(who));
    if (answer.status !== 202) return answer.body;
    return (await get(`/v1/renders/${answer.body.id}?wait=30`, who)).body;
  };
  const runOf = (id: string) => h.node.runs.find(({ request }) => request.job_id === id)?.request;

  test("the spec tells what it was, and the node gets its files by signed URLs", async () => {
    const render = await submit({
      prompt: "granny and temo in the garden",
      dialogue: "Nana: Look! Temo: Where?",
    });
    expect(render.status).toBe("succeeded");
    expect(render.spec.clip.characters).toEqual([
      { name: "temo", weight: 0.5 },
      { name: "nana", weight: 0.4 },
    ]);
    expect(render.spec.speech.lines.map((line: { speaker: string }) => line.speaker)).toEqual([
      "nana",
      "temo",
    ]);
    expect(render.spec.registered).toEqual([
      expect.objectContaining({
        name: "nana",
        lora_sha256: sha256(loraFile()),
        voice_sha256: sha256(wavFile(2)),
      }),
    ]);
    const { assets = [] } = runOf(render.id) ?? {};
    expect(assets.map(({ sha256: hash }) => hash).sort()).toEqual(
      [sha256(loraFile()), sha256(wavFile(2))].sort(),
    );
    for (const { get_url, sha256: hash } of assets)
      expect(sha256(new Uint8Array(await (await fetch(get_url)).arrayBuffer()))).toBe(hash);
    expect((await submit({ prompt: "temo alone" })).spec.registered).toBeUndefined();
  });

  test("other dialects know it, too", async () => {
    const v5 = await h.call(
      "POST",
      "/api/animation",
      { character: "nana", prompt: "knitting" },
      bearer("alice"),
    );
    expect(v5.status).toBe(200);
    expect(runOf(v5.body.id)?.spec?.registered).toMatchObject([{ name: "nana" }]);
    const gradio = await h.call(
      "POST",
      "/gradio_api/call/voice",
      { data: ["nana", "Hello there!"] },
      bearer("alice"),
    );
    expect(gradio.status).toBe(200);
  });

  test("the spec of an earlier render repeats it after a change, but not for strangers", async () => {
    const { spec } = await submit({ prompt: "nana knits" });
    await upload({ name: "nana", lora: loraFile(0.25) });
    const now = await submit({ prompt: "nana knits" });
    expect(now.spec.registered[0].lora_sha256).toBe(sha256(loraFile(0.25)));
    const again = await submit(spec);
    expect(again.spec.registered).toEqual(spec.registered);
    const stranger = await submit(spec, "bob");
    expect(stranger).toMatchObject({ status: 422, errors: [{ pointer: "#/registered/0/lora_sha256" }] });
  });

  test("LoRAs by URL go into the spec; private addresses are refused at once", async () => {
    const loras = [{ url: `${web.origin}/nana.safetensors`, weight: 0.6 }];
    expect((await submit({ prompt: "temo waves", loras })).spec.clip.loras).toEqual(loras);
    const refused = await submit({ prompt: "x", loras: [{ url: "http://10.0.0.1/x", weight: 1 }] });
    expect(refused.errors[0].pointer).toBe("#/loras/0/url");
    const voices = [{ character: "temo", audio_url: "http://[::1]/a.wav", transcript: "Hi." }];
    const voice = await submit({ dialogue: "Temo: Hello!", speech: { voices } });
    expect(voice.errors[0].pointer).toBe("#/speech/voices/0/audio_url");
  });
});

test("files that no character uses are deleted after a while, those in use are not", async () => {
  const db = await openDatabase(join(h.dataDir, "cartoon.db"));
  const store = new FolderStore({
    folder: join(h.dataDir, "store"),
    secret: "x".repeat(32),
    internalOrigin: () => "",
  });
  expect(await sweepAssets(db, store, 3600)).toBe(0);
  expect(await sweepAssets(db, store, -1)).toBe(2);
  expect((await stored()).map((name) => name.split("/").at(-1))).toEqual([sha256(loraFile(0.25))]);
  expect(await takeReleasedAssets(db, Date.now() + 1000)).toEqual([]);
  await db.close();
});

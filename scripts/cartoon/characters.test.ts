import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loraFile, serveFiles, wavFile } from "@cartoon/edge/test/character-files";
import { type Harness, startHarness } from "@cartoon/edge/test/harness";
import { writeSpeakingPack } from "@cartoon/gpu-pool/supervisor/testing/speaking-pack";
import { nodeReady, startStack } from "../lib/stack.ts";

setDefaultTimeout(60_000);

let h: Harness;
let folder: string;
beforeAll(async () => {
  h = await startHarness();
  folder = await mkdtemp(join(tmpdir(), "cartoon characters-"));
  await writeFile(join(folder, "nana.safetensors"), loraFile());
  await writeFile(join(folder, "nana.wav"), wavFile(2));
});
afterAll(async () => {
  await h.stop();
  await rm(folder, { recursive: true, force: true });
});

async function characters(...args: string[]) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), "characters", ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1", CARTOON_URL: h.url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

test("add, list, remove", async () => {
  const files = ["--lora", "nana.safetensors", "--voice", "nana.wav", "--transcript", "Hello my dear."];
  const added = await characters("add", "nana", ...files, "--triggers", "nana,granny", "--weight", "0.8");
  expect(added).toMatchObject({ code: 0, out: "nana is registered\n" });
  const { body } = await h.call("GET", "/v1/characters/nana");
  expect(body).toMatchObject({
    triggers: ["nana", "granny"],
    weight: 0.8,
    lora: { rank: 4 },
    voice: { clip: { seconds: 2 } },
  });
  expect((await characters("add", "nana", "--voice-seed", "7")).out).toBe("nana is replaced\n");
  expect((await characters("list")).out.split("\n").slice(0, 3)).toEqual([
    "temo  Temo  temo  pack",
    "felfel  Felfel  felfel  pack",
    "nana  nana  nana  yours",
  ]);
  expect((await characters("remove", "nana")).out).toBe("nana is gone\n");
  expect(await characters("remove", "nana")).toMatchObject({ code: 1 });
});

test("what is wrong is said, with the flag or the field", async () => {
  const missing = await characters("add", "nana", "--lora", "none.safetensors");
  expect(missing).toMatchObject({ code: 2, out: "" });
  expect(missing.err).toContain('--lora takes a file or a URL; there is no file "none.safetensors"');
  const refused = await characters("add", "temo", "--voice-seed", "1");
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.err).toContain('"temo" is a character of the pack');
  const nowhere = await characters("list", "--url", "http://127.0.0.1:9");
  expect(nowhere.code).toBe(1);
});

test("a whole edge and node: a LoRA by file and by URL draws the clip that the pack's own one draws", async () => {
  await mkdir(join(folder, "packs"));
  await rename(await writeSpeakingPack(), join(folder, "packs/tiny"));
  const file = join(folder, "packs/tiny/loras/temo.safetensors");
  const web = await serveFiles({ "/temo.safetensors": await readFile(file) });
  const stack = await startStack({
    ...{ host: "127.0.0.1", port: 0, dataDir: join(folder, "data") },
    env: {
      CARTOON_PACK_DIRS: join(folder, "packs"),
      CARTOON_PACK: "tiny",
      CARTOON_FETCH_ALLOW: web.host,
    },
  });
  try {
    await nodeReady(stack.url);
    const url = `${web.origin}/temo.safetensors`;
    for (const [name, source] of Object.entries({ tomo: file, tumo: url }))
      expect(
        (await characters("add", name, "--lora", source, "--triggers", "temo", "--url", stack.url)).code,
      ).toBe(0);
    const clip = { num_inference_steps: 4, num_frames: 8, width: 64, height: 64 };
    const gif = async (request: object) => {
      const body = JSON.stringify({
        prompt: "temo waves",
        seed: 5,
        clip,
        output: { formats: ["gif"] },
        ...request,
      });
      const headers = { "content-type": "application/json" };
      const made = await (await fetch(`${stack.url}/v1/renders`, { method: "POST", headers, body })).json();
      const done = await (await fetch(`${stack.url}/v1/renders/${made.id}?wait=60`)).json();
      expect(done.error).toBeNull();
      return done.results.find((one: { name: string }) => one.name === "clip.gif").sha256;
    };
    const own = await gif({ characters: ["temo"] });
    const none = [{ name: "temo", weight: 0 }];
    expect(await gif({ characters: ["tomo"] })).toBe(own);
    expect(await gif({ characters: ["tumo"] })).toBe(own);
    expect(await gif({ characters: none, loras: [{ url, weight: 1 }] })).toBe(own);
    expect(await gif({ characters: none })).not.toBe(own);
  } finally {
    await stack.stop();
    web.close();
  }
});

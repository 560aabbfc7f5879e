import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { choosePack, listPacks, loadPack, PackError } from "./index.ts";

let root: string;
let serial = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cartoon-packs-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const parts = ["unet", "motion_adapter", "vae", "text_encoder", "tokenizer", "scheduler"];

function manifest(name: string) {
  return {
    format: 1,
    name,
    version: "1.0.0",
    components: Object.fromEntries(parts.map((part) => [part, part])) as Record<string, string>,
    picture: {
      family: "sd15" as "sd15" | "sdxl",
      native: { width: 64, height: 64 },
      sizes: [[64, 64]],
      multiple_of: 8,
      frames: { min: 1, max: 32, default: 8, window: 16, overlap: 4 },
      fps: { default: 8 },
      steps: { default: 4, max: 50 },
      guidance_scale: { default: 5 },
      scheduler_preset: "ddim",
    },
    characters: [{ name: "temo", label: "Temo", speaker: "S1", voice: {} }] as object[],
    files: {} as Record<string, { sha256: string; bytes: number }>,
  };
}

async function write(json: unknown, folder = join(root, String(serial++), "pack")): Promise<string> {
  for (const part of parts) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, "pack.json"), typeof json === "string" ? json : JSON.stringify(json));
  return folder;
}

async function problemsOf(folder: string, verify = false): Promise<string> {
  const error = await loadPack(folder, { verify }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(PackError);
  return (error as PackError).problems.join("\n");
}

describe("a pack", () => {
  test("opens and resolves its parts", async () => {
    const folder = await write(manifest("tiny"));
    const pack = await loadPack(folder);
    expect(pack.component("vae")).toBe(join(folder, "vae"));
    expect(pack.has("dia")).toBe(false);
    expect(() => pack.component("dia")).toThrow(/no component "dia"/);
    expect(pack.character("temo")).toMatchObject({ weight: 1, pair_weight: 0.5, triggers: [] });
  });

  test("lists every problem at once", async () => {
    const bad = manifest("tiny");
    bad.picture.family = "sdxl";
    bad.components.vae = "elsewhere";
    bad.characters = [
      { name: "temo", label: "Temo", speaker: "S1", voice: {}, lora: "loras/none.safetensors" },
      { name: "temo", label: "Temo", speaker: "S1", voice: {} },
    ];
    bad.files = { "unet/none": { sha256: "0".repeat(64), bytes: 1 } };
    const problems = await problemsOf(await write(bad));
    expect(problems).toContain("components.text_encoder_2 is missing");
    expect(problems).toContain("components.tokenizer_2 is missing");
    expect(problems).toContain("components.vae: elsewhere is not there");
    expect(problems).toContain("characters.temo.lora: loras/none.safetensors is not there");
    expect(problems).toContain('two characters are called "temo"');
    expect(problems).toContain("files: unet/none is not there");
  });

  test("is refused when it is not JSON, has wrong fields or reaches outside its folder", async () => {
    expect(await problemsOf(await write("{"))).toContain("pack.json");
    expect(await problemsOf(await write({ ...manifest("x"), format: 2, version: 3 }))).toMatch(
      /format[\s\S]*version/,
    );
    const escaping = manifest("x");
    escaping.components.vae = "../../etc";
    expect(await problemsOf(await write(escaping))).toContain("components.vae: a path inside the pack");
  });

  test("sizes are always checked, hashes on request", async () => {
    const bytes = Buffer.from("weights");
    const listed = manifest("tiny");
    listed.files = {
      "unet/w": { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length },
    };
    const folder = await write(listed);
    await writeFile(join(folder, "unet/w"), bytes);
    await loadPack(folder, { verify: true });
    await writeFile(join(folder, "unet/w"), "WEIGHTS");
    await loadPack(folder);
    expect(await problemsOf(folder, true)).toContain("another SHA-256");
    await writeFile(join(folder, "unet/w"), "cut");
    expect(await problemsOf(folder)).toContain("has 3 bytes, expected 7");
  });

  test("any JSON is either a pack or refused as one", async () => {
    const folder = join(root, "fuzz");
    await fc.assert(
      fc.asyncProperty(fc.json(), async (json) => {
        await write(json, folder);
        await problemsOf(folder);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the library", () => {
  test("lists what it finds and lets sd15 stand in for a broken sdxl", async () => {
    const library = join(root, "library");
    await write(manifest("sd15"), join(library, "sd15"));
    const broken = { ...manifest("sdxl"), picture: { ...manifest("sdxl").picture, family: "sdxl" } };
    await write(broken, join(library, "sdxl"));
    const listing = await listPacks([library, join(root, "absent")]);
    expect(listing.packs.map((pack) => pack.manifest.name)).toEqual(["sd15"]);
    expect(listing.broken.map((entry) => entry.name)).toEqual(["sdxl"]);
    const { pack, warnings } = choosePack(listing, "sdxl", "sd15");
    expect(pack.manifest.name).toBe("sd15");
    expect(warnings[0]).toMatchObject({ field: "pack", given: "sdxl", used: "sd15" });
    expect(choosePack(listing, "", "sd15").warnings).toEqual([]);
    expect(() => choosePack(listing, "toon", "sd15")).toThrow(
      /"toon": the pack is not installed; installed: sd15/,
    );
  });
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPack, type Pack } from "../packs/index.ts";
import { PACK_SOURCES } from "../packs/pull/index.ts";
import type { RunnerSetup } from "./messages.ts";
import { chooseMode, chooseWindow } from "./mode.ts";

const GB = 1e9;
/** Bytes of the published half-precision weights, about; the files are holes. */
const WEIGHTS = {
  unet: 5.14,
  motion_adapter: 0.95,
  vae: 0.17,
  text_encoder: 0.25,
  text_encoder_2: 1.39,
  dia: 3.2,
  dac: 0.3,
};

let folder: string;
let pack: Pack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-mode-"));
  const source = PACK_SOURCES.sdxl;
  const components: Record<string, string> = {};
  for (const { component } of source?.components ?? []) {
    components[component] = component;
    await mkdir(join(folder, component));
    const file = await open(join(folder, component, "model.safetensors"), "w");
    await file.truncate(GB * ((WEIGHTS as Record<string, number>)[component] ?? 0));
    await file.close();
  }
  await writeFile(join(folder, "pack.json"), JSON.stringify({ ...source?.manifest, components }));
  pack = await loadPack(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const gpu: RunnerSetup["device"] = { kind: "cuda", index: 0 };
const setup = { device: gpu, parts: ["picture" as const] };
const clip = (num_frames: number, window = 0) =>
  ({ width: 1024, height: 1024, num_frames, context: { window, overlap: 4, schedule: "static" } }) as never;
const memory = async (free: number, frames: number, window = 0) =>
  (await chooseMode(setup, pack, { clip: clip(frames, window) }, free * GB, undefined)).memory;

test("the mode follows from the free memory: 16 frames of 1024x1024 fit in full beside the voice on 40 GB, not on 24", async () => {
  expect(await memory(40, 16)).toBe("full");
  expect(await memory(24, 16)).toBe("small");
  expect(await memory(12, 16)).toBe("small");
  expect(await memory(36, 32)).toBe("small");
  expect(await memory(80, 32)).toBe("full");
});

test("32 frames are one pass where that fits; where the small mode has no room for it, passes of 16", async () => {
  expect(pack.manifest.picture?.frames.window).toBe(32);
  const small = { deterministic: false, memory: "small" } as const;
  const both = { parts: ["picture", "voice"] as const };
  const window = (free: number | undefined, frames: number, asked = 0, more: object = {}) => {
    const bytes = free === undefined ? free : free * GB;
    return chooseWindow({ ...both, ...more }, pack, clip(frames, asked), small, bytes);
  };
  expect(await window(16, 32)).toBeUndefined();
  expect(await window(12, 32)).toBe(16);
  expect(await window(12, 24)).toBeUndefined();
  expect(await window(11, 24)).toBe(16);
  expect(await window(12, 48)).toBe(16);
  // Nothing to gain, asked for, or nobody knows: the ladder is there when memory does run out.
  expect(await window(12, 16)).toBeUndefined();
  expect(await window(12, 32, 32)).toBeUndefined();
  expect(await window(undefined, 32)).toBeUndefined();
  expect(await window(12, 32, 0, { memory: "full" })).toBeUndefined();
  // A voice in a process of its own has its share.
  expect(await window(16, 32, 0, { parts: ["picture"] })).toBe(16);
  const full = { ...small, memory: "full" } as const;
  expect(await chooseWindow(both, pack, clip(32), full, 12 * GB)).toBeUndefined();
});

test("models that spare memory stay so, except for a clip whose bytes must not depend on the one before", async () => {
  const small = { deterministic: false, memory: "small" } as const;
  const wish = { clip: clip(16) };
  expect(await chooseMode(setup, pack, wish, 80 * GB, small)).toEqual(small);
  expect(await chooseMode(setup, pack, { ...wish, deterministic: true }, 80 * GB, small)).toEqual({
    deterministic: true,
    memory: "full",
  });
});

test("the request, the node's setting or the CPU make a run bit-stable; the node's setting also decides about memory", async () => {
  const mode = (more: object, wish = {}) =>
    chooseMode({ ...setup, ...more }, pack, wish, undefined, undefined);
  expect(await mode({})).toEqual({ deterministic: false, memory: "full" });
  expect(await mode({}, { deterministic: true })).toEqual({ deterministic: true, memory: "full" });
  expect(await mode({ deterministic: true })).toEqual({ deterministic: true, memory: "full" });
  expect(await mode({ device: { kind: "cpu" } })).toEqual({ deterministic: true, memory: "full" });
  expect(await mode({ memory: "small" })).toEqual({ deterministic: false, memory: "small" });
});

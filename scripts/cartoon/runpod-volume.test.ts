import { afterAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { writeSpeakingPack } from "@cartoon/gpu-pool/supervisor/testing/speaking-pack";
import { packsOnVolume } from "./runpod-volume.ts";

const volume = await mkdtemp(join(tmpdir(), "cartoon volume-"));
afterAll(() => rm(volume, { recursive: true, force: true }));
const pulled: string[] = [];
const ask = (pack: string, at = volume) =>
  packsOnVolume({
    volume: at,
    dirs: "/models",
    pack,
    pull: async (name, root) => void pulled.push(`${name} ${root}`),
  });

test("the volume holds packs, and one that is nowhere yet is pulled there once", async () => {
  const packs = join(volume, "packs");
  await mkdir(packs);
  await rename(await writeSpeakingPack(), join(packs, "tiny"));
  expect(await ask("tiny")).toBe(["/models", packs].join(delimiter));
  expect(pulled).toEqual([]);
  await ask("sdxl");
  expect(pulled).toEqual([`sdxl ${packs}`]);
});

test("without a volume, and for packs without a source, nothing is pulled", async () => {
  pulled.length = 0;
  expect(await ask("sdxl", join(volume, "none"))).toBe("/models");
  await ask("my-own");
  expect(pulled).toEqual([]);
});

import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeTinyPack } from "../../pipelines/animatediff/testing/tiny-pack.ts";

/** Calls the tiny pack "sdxl", lets it draw 96x96 in windows of 16 frames, and puts a tiny "sd15" beside it. */
export async function asSdxlBesideSd15(pack: string): Promise<void> {
  const adapter = join(pack, "motion_adapter/config.json");
  await edit(adapter, (config) => ({ ...config, motion_max_seq_length: 16 }));
  await edit(join(pack, "pack.json"), (manifest) => ({
    ...manifest,
    name: "sdxl",
    picture: {
      ...(manifest.picture as object),
      native: { width: 96, height: 96 },
      sizes: [[96, 96]],
      frames: { min: 1, max: 64, default: 16, window: 16, overlap: 2 },
    },
  }));
  const sd15 = join(dirname(pack), "sd15");
  await rename(await writeTinyPack("sd15"), sd15);
  await edit(join(sd15, "pack.json"), (manifest) => ({ ...manifest, name: "sd15" }));
}

type Json = Record<string, unknown>;

async function edit(path: string, change: (json: Json) => Json): Promise<void> {
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")) as Json)));
}

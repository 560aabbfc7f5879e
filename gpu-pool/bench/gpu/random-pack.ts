import { cp, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PACK_SOURCES } from "../../src/packs/pull/sources.ts";

const TOKENIZER = fileURLToPath(new URL("../../test-fixtures/pipeline/tokenizer", import.meta.url));
const PARTS = ["unet", "motion_adapter", "vae", "text_encoder", "text_encoder_2"];

/** Makes a pack of the weights that `torch_sdxl.py FOLDER make` wrote. A folder with a `pack.json` stays as it is. */
export async function makeRandomPack(folder: string, size: { width: number; height: number }): Promise<void> {
  if (await stat(join(folder, "pack.json")).catch(() => undefined)) return;
  const picture = PACK_SOURCES.sdxl?.manifest.picture;
  for (const name of ["tokenizer", "tokenizer_2"])
    await cp(TOKENIZER, join(folder, name), { recursive: true });
  await mkdir(join(folder, "scheduler"), { recursive: true });
  const scheduler = {
    ...{ _class_name: "EulerDiscreteScheduler", beta_schedule: "scaled_linear", beta_start: 0.00085 },
    ...{ beta_end: 0.012, timestep_spacing: "leading", steps_offset: 1 },
  };
  await writeFile(join(folder, "scheduler/scheduler_config.json"), JSON.stringify(scheduler));
  const components = [...PARTS, "tokenizer", "tokenizer_2", "scheduler"].map((name) => [name, name]);
  const manifest = {
    ...{ format: 1, name: "random", version: "1.0.0", characters: [] },
    components: Object.fromEntries(components),
    picture: { ...picture, native: size, sizes: [[size.width, size.height]] },
  };
  await writeFile(join(folder, "pack.json"), JSON.stringify(manifest));
}

import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * The safetensors files of a model's folder: `model.safetensors`, or all shards.
 * @throws when there is none
 */
export async function weightFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".safetensors")).sort();
  const chosen = names.includes("model.safetensors") ? ["model.safetensors"] : names;
  if (chosen.length === 0) throw new Error(`${folder} holds no .safetensors file`);
  return chosen.map((name) => join(folder, name));
}

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { type CheckpointPart, checkpointWeights } from "../../packs/single-file/index.ts";
import { openWeights, type WeightSet } from "../../weights/weight-set.ts";
import type { ModelOptions } from "./types.ts";

/**
 * A model's `config.json`, checked.
 * @throws Error naming the file and every field that is wrong
 */
export async function readConfig<T>(folder: string, schema: z.ZodType<T>): Promise<T> {
  const path = join(folder, "config.json");
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "(root)"}: ${issue.message}`,
  );
  throw new Error(`${path}: ${problems.join("; ")}`);
}

/**
 * The weights of one model: from its own folder, or where that holds only a config, from the pack's single-file
 * checkpoint.
 * @throws Error when neither has them
 */
export async function modelWeights(
  folder: string,
  part: CheckpointPart,
  { checkpoint, cacheDir }: ModelOptions,
  sizes: { layersPerBlock?: number; vaeBlocks?: number } = {},
): Promise<WeightSet> {
  if (checkpoint !== undefined && !(await hasWeights(folder)))
    return checkpointWeights(checkpoint, part, { ...sizes, cacheDir });
  return openWeights(await weightFiles(folder));
}

async function hasWeights(folder: string): Promise<boolean> {
  return (await readdir(folder)).some((file) => file.endsWith(".safetensors"));
}

const NAMES = ["diffusion_pytorch_model", "model"];

/**
 * The weight files of a model folder as diffusers and transformers name them: the plain file, the fp16 variant, or
 * all shards.
 * @throws Error when there is none
 */
export async function weightFiles(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".safetensors")).sort();
  for (const ending of [".safetensors", ".fp16.safetensors"]) {
    const found = files.find((file) => NAMES.some((name) => file === name + ending));
    if (found) return [join(folder, found)];
  }
  const shards = files.filter((file) => /-\d{5}-of-\d{5}\.safetensors$/.test(file));
  if (shards.length === 0)
    throw new Error(`${folder}: no model.safetensors or diffusion_pytorch_model.safetensors`);
  return shards.map((file) => join(folder, file));
}

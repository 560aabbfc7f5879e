import { createHash } from "node:crypto";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  readSafetensorsHeader,
  readTensorBytes,
  type SafetensorsFile,
  type TensorEntry,
} from "../../weights/safetensors.ts";
import { WeightSet } from "../../weights/weight-set.ts";
import { clipKey, openClipKey } from "./text-keys.ts";
import { unetKey } from "./unet-keys.ts";
import { vaeKey } from "./vae-keys.ts";

export type CheckpointPart = "unet" | "vae" | "text_encoder" | "text_encoder_2";

export interface PartOptions {
  /** Resnets per down block of the UNet. */
  layersPerBlock?: number;
  /** Resolutions of the VAE. */
  vaeBlocks?: number;
  /** Folder for the one matrix that has to be turned round (OpenCLIP's projection). */
  cacheDir: string;
}

/**
 * One model of a single-file checkpoint (SGM/LDM names), under diffusers' and transformers' names. Tensors stay where
 * they are in the file; packed attention weights become three views of it.
 * @throws Error when the file has nothing of that model
 */
export async function checkpointWeights(
  path: string,
  part: CheckpointPart,
  options: PartOptions,
): Promise<WeightSet> {
  const file = await readSafetensorsHeader(path);
  const tensors =
    part === "text_encoder_2" ? await openClip(file, options.cacheDir) : renamed(file, part, options);
  if (tensors.size === 0) throw new Error(`${path}: the checkpoint has no ${part}`);
  return new WeightSet(tensors);
}

/** `sdxl` or `sd15` by the text encoders that a checkpoint brings; undefined for anything else. */
export function checkpointFamily(file: SafetensorsFile): "sdxl" | "sd15" | undefined {
  const keys = [...file.tensors.keys()];
  if (!keys.some((key) => key.startsWith("model.diffusion_model."))) return undefined;
  if (keys.some((key) => key.startsWith("conditioner.embedders.1."))) return "sdxl";
  return keys.some((key) => key.startsWith("cond_stage_model.transformer.")) ? "sd15" : undefined;
}

function renamed(
  file: SafetensorsFile,
  part: CheckpointPart,
  options: PartOptions,
): Map<string, TensorEntry> {
  const tensors = new Map<string, TensorEntry>();
  for (const [key, entry] of file.tensors) {
    const name =
      part === "unet"
        ? unetKey(key, options.layersPerBlock ?? 2)
        : part === "vae"
          ? vaeKey(key, options.vaeBlocks ?? 4)
          : clipKey(key);
    if (name !== undefined) tensors.set(name, entry);
  }
  return tensors;
}

async function openClip(file: SafetensorsFile, cacheDir: string): Promise<Map<string, TensorEntry>> {
  const tensors = new Map<string, TensorEntry>();
  for (const [key, entry] of file.tensors) {
    const target = openClipKey(key);
    if (target?.kind === "whole") tensors.set(target.name, entry);
    else if (target?.kind === "transposed") tensors.set(target.name, await transposed(entry, cacheDir));
    else if (target) for (const [i, name] of target.names.entries()) tensors.set(name, third(entry, i));
  }
  return tensors;
}

/** Rows i/3 to (i+1)/3 of a row-major tensor. */
function third(entry: TensorEntry, index: number): TensorEntry {
  const [rows = 0, ...rest] = entry.shape;
  if (rows % 3 !== 0) throw new Error(`tensor "${entry.key}" has ${rows} rows, not three equal parts`);
  const byteLength = entry.byteLength / 3;
  return { ...entry, shape: [rows / 3, ...rest], offset: entry.offset + index * byteLength, byteLength };
}

/** The matrix turned round, in a small file of its own. */
async function transposed(entry: TensorEntry, cacheDir: string): Promise<TensorEntry> {
  const [rows = 0, columns = 0] = entry.shape;
  const bytes = await readTensorBytes(entry);
  const size = bytes.length / (rows * columns);
  const turned = new Uint8Array(bytes.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      turned.set(bytes.subarray(from, from + size), (column * rows + row) * size);
    }
  const name = `transposed-${createHash("sha256").update(turned).digest("hex").slice(0, 32)}.bin`;
  const path = join(cacheDir, name);
  if (!(await stat(path).catch(() => undefined))) {
    await mkdir(cacheDir, { recursive: true });
    const draft = `${path}.${process.pid}.tmp`;
    await writeFile(draft, turned);
    await rename(draft, path);
  }
  return { ...entry, shape: [columns, rows], file: path, offset: 0, byteLength: turned.length };
}

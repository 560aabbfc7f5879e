import { createHash } from "node:crypto";
import { constants } from "node:fs";
import {
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { OnnxModel } from "../graphs/builder/types.ts";

/**
 * ONNX Runtime opens external data only inside the graph's own folder and refuses symbolic links. So each
 * graph gets a folder named after its content, with hard links to the weight files beside it (copies where
 * the file system can't link).
 */

async function fingerprint(model: OnnxModel): Promise<string> {
  const hash = createHash("sha256").update(model.bytes);
  for (const { location, path } of model.weightFiles) {
    const real = await realpath(path);
    const { size, mtimeMs, ino } = await stat(real);
    hash.update(`\0${location}\0${real}\0${size}\0${mtimeMs}\0${ino}`);
  }
  return hash.digest("hex").slice(0, 32);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** @returns the path of the graph file, with its weights beside it */
export async function installModel(model: OnnxModel, cacheDir: string): Promise<string> {
  const folder = join(cacheDir, await fingerprint(model));
  const graph = join(folder, "model.onnx");
  if (await exists(graph)) {
    const now = new Date();
    await utimes(folder, now, now).catch(() => undefined);
    return graph;
  }
  await mkdir(cacheDir, { recursive: true });
  const draft = await mkdtemp(join(cacheDir, ".draft-"));
  try {
    for (const { location, path } of model.weightFiles)
      await place(await realpath(path), join(draft, location));
    await writeFile(join(draft, "model.onnx"), model.bytes);
    await rename(draft, folder).catch(async (error: unknown) => {
      // Another process was faster: its folder has the same content.
      if (!(await exists(graph))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await removeUnused(cacheDir);
  return graph;
}

const UNUSED_DAYS = 30;

/** A link keeps the weights of a replaced pack on disk: folders that nobody opened for a month go. */
async function removeUnused(cacheDir: string): Promise<void> {
  const oldest = Date.now() - UNUSED_DAYS * 24 * 60 * 60 * 1000;
  for (const name of await readdir(cacheDir)) {
    if (!/^([0-9a-f]{32}|\.draft-.+)$/.test(name)) continue;
    const folder = join(cacheDir, name);
    const used = await stat(folder).catch(() => undefined);
    if (used && used.mtimeMs < oldest) await rm(folder, { recursive: true, force: true });
  }
}

async function place(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch {
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
}

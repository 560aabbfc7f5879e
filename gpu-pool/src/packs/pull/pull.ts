import { mkdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadPack, type Pack } from "../pack.ts";
import { download } from "./download.ts";
import { fileUrl, type Hub, listRepository, resolveRevision } from "./hub.ts";
import { type PlannedFile, planComponent } from "./plan.ts";
import type { PackSource } from "./sources.ts";

export interface PullProgress {
  /** Bytes of all files so far, those of earlier tries included. */
  bytes: number;
  total: number;
  file: string;
}

export interface PullOptions {
  /** Folder that holds packs; the pack gets a folder of its own there. */
  root: string;
  hub: Hub;
  onProgress?: (progress: PullProgress) => void;
  signal?: AbortSignal;
}

const SPARE_BYTES = 200_000_000;

/**
 * Downloads a pack from the hub or a mirror. What is there already is kept, what is half there is gone on with.
 * `pack.json` is written last, with the commit and the hash of everything, so that a pack is whole or is none.
 * @throws Error when the disk is too small, a file is missing, or what came is not what the hub announced
 */
export async function pullPack(source: PackSource, options: PullOptions): Promise<Pack> {
  const { root, hub, onProgress, signal } = options;
  const { name } = source.manifest;
  const folder = join(root, name);
  const planned = await planAll(source, hub);
  const total = planned.reduce((sum, { bytes }) => sum + bytes, 0);
  await mkdir(folder, { recursive: true });
  await checkDisk(folder, total);
  const files: Record<string, { sha256: string; bytes: number }> = {};
  let before = 0;
  for (const file of planned) {
    let bytes = 0;
    const sha256 = await download({
      url: fileUrl(hub, file.repo, file.revision, file.path),
      headers: hub.token ? { authorization: `Bearer ${hub.token}` } : {},
      file,
      target: join(folder, file.target),
      onBytes: (more) => {
        bytes = Math.min(bytes + more, file.bytes);
        onProgress?.({ bytes: before + bytes, total, file: file.target });
      },
      signal,
    });
    before += file.bytes;
    files[file.target] = { sha256, bytes: file.bytes };
  }
  const sources = Object.fromEntries(planned.map(({ repo, revision }) => [repo, revision]));
  const components = Object.fromEntries(source.components.map(({ component }) => [component, component]));
  const manifest = { ...source.manifest, components, files, sources };
  await writeFile(join(folder, "pack.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return loadPack(folder);
}

async function planAll({ components }: PackSource, hub: Hub): Promise<PlannedFile[]> {
  const commits = new Map<
    string,
    { revision: string; listing: Awaited<ReturnType<typeof listRepository>> }
  >();
  const planned: PlannedFile[] = [];
  for (const source of components) {
    let known = commits.get(source.repo);
    if (!known) {
      const revision = await resolveRevision(hub, source.repo, source.revision);
      known = { revision, listing: await listRepository(hub, source.repo, revision) };
      commits.set(source.repo, known);
    }
    planned.push(...planComponent(source, known.revision, known.listing));
  }
  return planned;
}

async function checkDisk(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const gb = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  if (bavail * bsize < bytes + SPARE_BYTES) {
    throw new Error(`${folder} has ${gb(bavail * bsize)} free, the pack takes ${gb(bytes)}`);
  }
}

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { listPacks, PACK_SOURCES } from "@cartoon/gpu-pool";

/** Where RunPod mounts a network volume in serverless workers. */
export const RUNPOD_VOLUME = "/runpod-volume";

export interface VolumeOptions {
  volume: string;
  /** Folders that packs are looked for in anyway, in the form of CARTOON_PACK_DIRS. */
  dirs: string;
  /** The pack that jobs are to use. */
  pack: string;
  /** Downloads a pack into a folder of packs. */
  pull: (pack: string, root: string) => Promise<void>;
}

/**
 * The volume as a cache of packs: what one worker has pulled there, the next one finds. A pack that is nowhere yet is
 * pulled now, where there is a source for it.
 * @returns the folders to look for packs in
 */
export async function packsOnVolume({ volume, dirs, pack, pull }: VolumeOptions): Promise<string> {
  if (!existsSync(volume)) return dirs;
  const root = join(volume, "packs");
  const all = [...dirs.split(delimiter), root].filter(Boolean);
  const { packs } = await listPacks(all.filter((folder) => existsSync(folder)));
  const isThere = packs.some(({ manifest }) => manifest.name === pack);
  if (!isThere && Object.hasOwn(PACK_SOURCES, pack)) await pull(pack, root);
  return all.join(delimiter);
}

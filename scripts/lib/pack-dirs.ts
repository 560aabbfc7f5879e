import { delimiter, join } from "node:path";
import { root } from "./root.ts";

/** Where `cartoon models pull` puts packs. */
export const pulledPacks = (dataDir: string): string => join(dataDir, "packs");

/** Folders that nodes of this launcher look for packs in, in the form of CARTOON_PACK_DIRS. */
export function packDirs(dataDir: string): string {
  return (
    process.env.CARTOON_PACK_DIRS || [join(root, "gpu-pool/packs"), pulledPacks(dataDir)].join(delimiter)
  );
}

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Warning } from "@cartoon/protos";
import { loadPack, type Pack, PackError } from "./pack.ts";

export interface PackListing {
  packs: Pack[];
  /** Folders with a `pack.json` that cannot be used, and why. */
  broken: { name: string; problems: readonly string[] }[];
}

/** Every pack in the given folders (each holds one folder per pack); of two with the same name the first wins. */
export async function listPacks(roots: readonly string[]): Promise<PackListing> {
  const packs = new Map<string, Pack>();
  const broken: PackListing["broken"] = [];
  for (const root of roots) {
    for (const name of (await readdir(root).catch(() => [])).sort()) {
      const folder = join(root, name);
      if (!(await stat(join(folder, "pack.json")).catch(() => undefined))) continue;
      try {
        const pack = await loadPack(folder);
        if (!packs.has(pack.manifest.name)) packs.set(pack.manifest.name, pack);
      } catch (error) {
        if (!(error instanceof PackError)) throw error;
        broken.push({ name, problems: error.problems });
      }
    }
  }
  return { packs: [...packs.values()], broken };
}

/** What stands in for a pack that is missing or broken. */
const FALLBACKS: Readonly<Record<string, string>> = { sdxl: "sd15" };

/**
 * The pack for a request. When `sdxl` is missing or broken (most often its motion adapter), `sd15` takes its place
 * and the warning says so.
 * @param wanted name; "" means `preferred`
 * @throws Error that names the packs there are
 */
export function choosePack(
  listing: PackListing,
  wanted: string,
  preferred: string,
): { pack: Pack; warnings: Warning[] } {
  const name = wanted === "" ? preferred : wanted;
  const byName = (name: string) => listing.packs.find((pack) => pack.manifest.name === name);
  const found = byName(name);
  if (found) return { pack: found, warnings: [] };
  const problems = listing.broken.find((entry) => entry.name === name)?.problems;
  const why = problems ? `the pack is broken (${problems.join("; ")})` : "the pack is not installed";
  const substitute = FALLBACKS[name] === undefined ? undefined : byName(FALLBACKS[name]);
  if (!substitute) {
    const known = listing.packs.map((pack) => pack.manifest.name).join(", ") || "none";
    throw new Error(`pack: "${name}": ${why}; installed: ${known}`);
  }
  const used = substitute.manifest.name;
  return {
    pack: substitute,
    warnings: [{ field: "pack", given: name, used, rule: `${why}; ${used} stands in for it` }],
  };
}

/**
 * The pack that draws where the models of `pack` do not load or do not fit: `sd15` for any SDXL pack of larger
 * pictures.
 */
export function substituteFor(listing: PackListing, pack: Pack): Pack | undefined {
  const picture = pack.manifest.picture;
  const substitute = listing.packs.find(({ manifest }) => manifest.name === FALLBACKS.sdxl);
  const smaller = substitute?.manifest.picture;
  if (picture?.family !== "sdxl" || smaller?.family !== "sd15") return undefined;
  const area = ({ native }: typeof picture) => native.width * native.height;
  return area(smaller) < area(picture) ? substitute : undefined;
}

import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { RemoteFile } from "./plan.ts";

/** The folder of a hub that is one, for machines without a network. */
export const hubFolder = (url: string): string | undefined =>
  url.startsWith("file:") ? fileURLToPath(url) : undefined;

/**
 * Where a repository is in a folder: `OWNER/NAME`, as a clone or `hf download --local-dir` leaves it, or in a Hugging
 * Face cache.
 * @throws Error naming both places when it is in neither
 */
export function localRepository(folder: string, repo: string, revision: string): string {
  const cached = join(folder, `models--${repo.replace("/", "--")}`, "snapshots", revision);
  const found = [cached, join(folder, repo)].find((path) => existsSync(path));
  if (!found) throw new Error(`${repo}: neither ${join(folder, repo)} nor ${cached} is there`);
  return found;
}

/** Files of a repository in a folder. What hides behind a dot is not part of it. */
export async function listLocal(folder: string): Promise<RemoteFile[]> {
  const names = await readdir(folder, { recursive: true });
  const files: RemoteFile[] = [];
  for (const name of names.sort()) {
    if (name.split(sep).some((part) => part.startsWith("."))) continue;
    const path = join(folder, name);
    // A cache holds links: what they point at counts.
    const { size, isFile } = await stat(path).then((found) => ({ size: found.size, isFile: found.isFile() }));
    if (isFile) files.push({ path: relative(folder, path).split(sep).join("/"), bytes: size });
  }
  return files;
}

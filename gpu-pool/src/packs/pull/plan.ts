import type { ComponentSource } from "./sources.ts";

/** A file as its repository lists it. */
export interface RemoteFile {
  path: string;
  bytes: number;
  /** Of the content; known for large files. */
  sha256?: string;
  /** Git's own hash of a small file. */
  blobSha1?: string;
}

/** One download of a pull. */
export interface PlannedFile extends RemoteFile {
  repo: string;
  revision: string;
  /** Path inside the pack. */
  target: string;
}

/**
 * What of a repository a component takes.
 * @throws Error naming the files that the repository lacks
 */
export function planComponent(
  source: ComponentSource,
  revision: string,
  listing: readonly RemoteFile[],
): PlannedFile[] {
  const byPath = new Map(listing.map((file) => [file.path, file]));
  const { component, repo } = source;
  const planned: PlannedFile[] = [];
  const take = (file: RemoteFile, name: string) => {
    planned.push({ ...file, repo, revision, target: `${component}/${name}` });
  };
  for (const { from, to, optional } of source.files) {
    const found = from.map((path) => byPath.get(path)).find((file) => file !== undefined);
    if (found) take(found, to);
    else if (!optional) throw new Error(`${repo} at ${revision.slice(0, 12)} has no ${from.join(" or ")}`);
  }
  const { all } = source;
  if (all) {
    const matching = listing.filter(({ path }) => all.test(path));
    if (matching.length === 0)
      throw new Error(`${repo} at ${revision.slice(0, 12)} has no file like ${all.source}`);
    for (const file of matching) take(file, file.path.split("/").at(-1) ?? file.path);
  }
  return planned;
}

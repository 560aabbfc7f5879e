import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { listFiles, modelInfo } from "@huggingface/hub";
import { hubFolder, listLocal, localRepository } from "./local-hub.ts";
import type { RemoteFile } from "./plan.ts";

export interface Hub {
  /** Origin of the hub or of a mirror of it, or a `file:` URL of a folder with the repositories. */
  url: string;
  /** For repositories that ask for one; never written anywhere. */
  token?: string;
}

const COMMIT = /^[0-9a-f]{40}$/;

const access = ({ url, token }: Hub) => ({ hubUrl: url, ...(token ? { accessToken: token } : {}) });

/** The commit that a branch points at now; a commit is itself. */
export async function resolveRevision(hub: Hub, repo: string, revision: string): Promise<string> {
  if (COMMIT.test(revision) || hubFolder(hub.url) !== undefined) return revision;
  const { sha } = await modelInfo({ ...access(hub), name: repo, revision, additionalFields: ["sha"] });
  if (!COMMIT.test(sha)) throw new Error(`${repo}: the hub does not say which commit ${revision} is`);
  return sha;
}

export async function listRepository(hub: Hub, repo: string, revision: string): Promise<RemoteFile[]> {
  const folder = hubFolder(hub.url);
  if (folder !== undefined) return listLocal(localRepository(folder, repo, revision));
  const files: RemoteFile[] = [];
  const listing = listFiles({
    ...access(hub),
    repo: { type: "model", name: repo },
    revision,
    recursive: true,
  });
  for await (const { type, path, size, oid, lfs } of listing) {
    if (type !== "file") continue;
    files.push(lfs ? { path, bytes: lfs.size, sha256: lfs.oid } : { path, bytes: size, blobSha1: oid });
  }
  return files;
}

export function fileUrl(hub: Hub, repo: string, revision: string, path: string): string {
  const folder = hubFolder(hub.url);
  if (folder !== undefined) return pathToFileURL(join(localRepository(folder, repo, revision), path)).href;
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${hub.url.replace(/\/+$/, "")}/${repo}/resolve/${revision}/${encoded}`;
}

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RemoteFile } from "./plan.ts";

export interface Download {
  url: string;
  headers: Record<string, string>;
  file: RemoteFile;
  /** Path on this machine. */
  target: string;
  onBytes: (bytes: number) => void;
  signal?: AbortSignal;
}

const ATTEMPTS = 5;
const RETRY_MS = 500;

class WrongContent extends Error {}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/**
 * Downloads a file, going on where an earlier try has stopped, and checks size and hash before it takes its name.
 * @returns its SHA-256
 */
export async function download(job: Download): Promise<string> {
  const { file, target, onBytes, signal } = job;
  const kept = await keepIfRight(target, file);
  if (kept !== undefined) {
    onBytes(file.bytes);
    return kept;
  }
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.part`;
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(job, part);
      const sha256 = await verify(part, file);
      await rename(part, target);
      return sha256;
    } catch (error) {
      signal?.throwIfAborted();
      // Wrong bytes are not worth keeping; whatever else came so far is.
      if (error instanceof WrongContent) await rm(part, { force: true });
      if (error instanceof WrongContent && attempt > 1) throw error;
      if (attempt >= ATTEMPTS || (error instanceof HttpError && error.permanent)) throw error;
      await sleep(RETRY_MS * attempt, undefined, { signal });
    }
  }
}

/** The hash of a file that is there already and is what it should be; one that is not makes room for a new one. */
async function keepIfRight(target: string, file: RemoteFile): Promise<string | undefined> {
  if ((await sizeOf(target)) !== file.bytes) return undefined;
  try {
    return await verify(target, file);
  } catch (error) {
    if (!(error instanceof WrongContent)) throw error;
    await rm(target);
    return undefined;
  }
}

class HttpError extends Error {
  readonly permanent: boolean;
  constructor(path: string, status: number) {
    const hint = status === 401 || status === 403 ? " (set HF_TOKEN, and accept the model's terms)" : "";
    super(`${path}: HTTP ${status}${hint}`);
    this.permanent = status >= 400 && status < 500 && status !== 408 && status !== 429;
  }
}

async function fetchRest({ url, headers, file, onBytes, signal }: Download, part: string): Promise<void> {
  let have = await sizeOf(part);
  if (have > file.bytes) have = 0;
  if (have === file.bytes) return;
  const sent = have > 0 ? { ...headers, range: `bytes=${have}-` } : headers;
  const response = await fetch(url, { headers: sent, signal });
  if (!response.ok) throw new HttpError(file.path, response.status);
  // A server that knows no ranges sends everything again.
  if (response.status !== 206) have = 0;
  onBytes(have);
  const handle = await open(part, have > 0 ? "a" : "w");
  try {
    const body: AsyncIterable<Uint8Array> | Uint8Array[] = response.body ?? [];
    for await (const chunk of body) {
      await handle.write(chunk);
      onBytes(chunk.length);
    }
  } finally {
    await handle.close();
  }
}

async function verify(path: string, { path: name, bytes, sha256, blobSha1 }: RemoteFile): Promise<string> {
  const content = createHash("sha256");
  const blob = createHash("sha1").update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path)) {
    content.update(chunk as Uint8Array);
    if (blobSha1) blob.update(chunk as Uint8Array);
  }
  const size = await sizeOf(path);
  if (size !== bytes) throw new Error(`${name}: ${size} of ${bytes} bytes came`);
  const digest = content.digest("hex");
  if (sha256 && digest !== sha256)
    throw new WrongContent(`${name}: its SHA-256 is another one than the hub's`);
  if (blobSha1 && blob.digest("hex") !== blobSha1)
    throw new WrongContent(`${name}: its hash is another one than the hub's`);
  return digest;
}

import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";

const HASH = /^[0-9a-f]{64}$/;

/**
 * Files by the SHA-256 of their content, in a folder that several nodes may share. The least recently used go first
 * once there is no room. Users link them into folders of their own, so that nothing is taken from under them.
 */
export class AssetCache {
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /**
   * Gives a cached file another name in a folder of the caller's, on the same file system without a copy.
   * @returns false when the cache has no such file
   */
  async link(sha256: string, target: string): Promise<boolean> {
    const path = this.#path(sha256);
    try {
      await link(path, target).catch((error: unknown) => {
        // Another file system, or one without hard links.
        if (isCode(error, "EXDEV", "EPERM", "ENOTSUP")) return copyFile(path, target);
        if (!isCode(error, "EEXIST")) throw error;
      });
    } catch (error) {
      if (isCode(error, "ENOENT")) return false;
      throw error;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => {});
    return true;
  }

  async has(sha256: string): Promise<boolean> {
    return (await stat(this.#path(sha256)).catch(() => undefined)) !== undefined;
  }

  /** A file on its way in; `keep` it or `discard` it. */
  async receive(): Promise<Incoming> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, `${randomUUID()}.part`);
    return new Incoming(path, await open(path, "wx"), async (sha256) => {
      await rename(path, this.#path(sha256));
      await this.#evict(sha256);
    });
  }

  #path(sha256: string): string {
    if (!HASH.test(sha256)) throw new Error(`not a SHA-256: ${sha256.slice(0, 80)}`);
    return join(this.#folder, sha256);
  }

  /** Removes the least recently used until the rest fits; the newest stays in any case. */
  async #evict(newest: string): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => HASH.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const info = await stat(join(this.#folder, name)).catch(() => undefined);
        return info ? [{ name, bytes: info.size, used: info.mtimeMs }] : [];
      }),
    );
    const files = found.flat().sort((a, b) => b.used - a.used);
    let bytes = files.find(({ name }) => name === newest)?.bytes ?? 0;
    for (const file of files) {
      if (file.name === newest) continue;
      bytes += file.bytes;
      if (bytes > this.#maxBytes) await rm(join(this.#folder, file.name), { force: true });
    }
  }
}

/** Bytes that are hashed as they are written. */
export class Incoming {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #keep: (sha256: string) => Promise<void>;

  constructor(path: string, handle: FileHandle, keep: (sha256: string) => Promise<void>) {
    this.#path = path;
    this.#handle = handle;
    this.#keep = keep;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    await this.#handle.writeFile(chunk);
  }

  /** Hash of all that was written; called once. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  async keep(sha256: string): Promise<void> {
    await this.#handle.close();
    await this.#keep(sha256);
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(this.#path, { force: true });
  }
}

export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

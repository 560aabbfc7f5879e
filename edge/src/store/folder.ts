import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, constants, type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { ApiError } from "../errors/table.ts";
import { contentTypeOf } from "./content-type.ts";
import { parseStoreKey } from "./key.ts";
import type { ByteRange } from "./range.ts";
import { signGrant } from "./signed-url.ts";
import type { ObjectInfo, PutTarget, SignGetOptions, Store, StoredObject } from "./store.ts";

export interface FolderStoreOptions {
  folder: string;
  /** Signs URLs. Every edge on the same folder needs the same one. */
  secret: string;
  /** Origin by which nodes reach this edge. */
  internalOrigin: () => string;
}

const isMissing = (error: unknown) =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");

/** A folder on this machine; the edge itself serves and takes the objects under signed URLs. */
export class FolderStore implements Store {
  readonly kind = "folder";
  readonly secret: string;
  readonly #root: string;
  readonly #internalOrigin: () => string;

  constructor(options: FolderStoreOptions) {
    this.#root = resolve(options.folder);
    this.secret = options.secret;
    this.#internalOrigin = options.internalOrigin;
  }

  #path(key: string): string {
    const path = join(this.#root, parseStoreKey(key));
    if (!path.startsWith(this.#root + sep)) throw new ApiError("not_found", "no such object");
    return path;
  }

  async signPut(key: string, options: { expiresInSeconds: number; contentType: string }): Promise<PutTarget> {
    const path = signGrant(this.secret, {
      method: "PUT",
      key: parseStoreKey(key),
      expiresAt: expiry(options.expiresInSeconds),
      contentType: options.contentType,
    });
    return { url: this.#internalOrigin() + path, headers: { "content-type": options.contentType } };
  }

  async signInternalGet(key: string, expiresInSeconds: number): Promise<string> {
    return this.signGet(key, { expiresInSeconds, origin: this.#internalOrigin() });
  }

  async signGet(key: string, options: SignGetOptions): Promise<string> {
    const path = signGrant(this.secret, {
      method: "GET",
      key: parseStoreKey(key),
      expiresAt: expiry(options.expiresInSeconds),
      downloadAs: options.downloadAs,
    });
    return options.origin + path;
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.write(key, [body], body.byteLength);
  }

  async putFile(key: string, path: string): Promise<void> {
    await this.write(key, createReadStream(path) as AsyncIterable<Uint8Array>, Number.POSITIVE_INFINITY);
  }

  /**
   * Writes a stream: to a file of its own, synced, then renamed, and the folder synced.
   * @throws ApiError `too_large` beyond `maxBytes`
   */
  async write(
    key: string,
    body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    maxBytes: number,
  ): Promise<{ bytes: number; sha256: string }> {
    const path = this.#path(key);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${randomUUID()}.part`;
    const handle = await open(temporary, "wx");
    try {
      const written = await writeAll(handle, body, maxBytes);
      await handle.sync();
      await handle.close();
      await rename(temporary, path);
      await syncFolder(dirname(path));
      return written;
    } catch (error) {
      await handle.close().catch(() => {});
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    try {
      const info = await stat(this.#path(key));
      if (!info.isFile()) return undefined;
      const etag = `"${info.size.toString(16)}-${Math.round(info.mtimeMs * 1000).toString(16)}"`;
      return { bytes: info.size, contentType: contentTypeOf(key), etag, modifiedAt: info.mtime };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async get(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    const info = await this.head(key);
    if (!info) return undefined;
    const stream = createReadStream(this.#path(key), range);
    return { ...info, body: Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array> };
  }

  async digest(key: string): Promise<{ bytes: number; sha256: string } | undefined> {
    if (!(await this.head(key))) return undefined;
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of createReadStream(this.#path(key)) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    return { bytes, sha256: hash.digest("hex") };
  }

  async deletePrefix(prefix: string): Promise<void> {
    await rm(this.#path(prefix.replace(/\/$/, "")), { recursive: true, force: true });
  }

  async *listJobs(): AsyncIterable<{ jobId: string; modifiedAt: Date }> {
    const folder = join(this.#root, "renders");
    const names = await readdir(folder).catch((error) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const jobId of names) {
      const info = await stat(join(folder, jobId)).catch(() => undefined);
      if (info?.isDirectory()) yield { jobId, modifiedAt: info.mtime };
    }
  }

  async check(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    await access(this.#root, constants.R_OK | constants.W_OK);
  }
}

const expiry = (seconds: number) => Math.floor(Date.now() / 1000) + Math.ceil(seconds);

async function writeAll(
  handle: FileHandle,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new ApiError("too_large", `the object is larger than ${maxBytes} bytes`);
    hash.update(chunk);
    await handle.writeFile(chunk);
  }
  return { bytes, sha256: hash.digest("hex") };
}

// A rename is durable only once its folder is; not every platform lets a folder be opened.
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  if (!handle) return;
  await handle.sync().catch(() => {});
  await handle.close();
}

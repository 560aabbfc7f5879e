import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ApiError } from "../errors/table.ts";

/** A file on its way in: on disk, hashed, its first bytes at hand. */
export class IncomingFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #maxBytes: number;
  readonly #field: string;
  bytes = 0;
  sha256 = "";

  private constructor(path: string, handle: FileHandle, field: string, maxBytes: number) {
    this.path = path;
    this.#handle = handle;
    this.#field = field;
    this.#maxBytes = maxBytes;
  }

  /** @param field the request's field, for errors */
  static async create(folder: string, field: string, maxBytes: number): Promise<IncomingFile> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, randomUUID());
    return new IncomingFile(path, await open(path, "wx+"), field, maxBytes);
  }

  /** @throws ApiError `too_large` */
  async write(chunk: Uint8Array): Promise<void> {
    this.bytes += chunk.byteLength;
    if (this.bytes > this.#maxBytes)
      throw new ApiError("too_large", `${this.#field}: larger than ${this.#maxBytes} bytes`);
    this.#hash.update(chunk);
    await this.#handle.writeFile(chunk);
  }

  /** Called once, after the last chunk. */
  finish(): void {
    this.sha256 = this.#hash.digest("hex");
  }

  /** Bytes from a place in the file, as many as there are. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(Math.min(length, Math.max(0, this.bytes - offset)));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, offset);
    return buffer.subarray(0, bytesRead);
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(this.path, { force: true });
  }
}

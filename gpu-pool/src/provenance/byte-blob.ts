/**
 * A Blob whose bytes can be had at once. The C2PA library reads its input through the browser's `FileReaderSync`, which
 * servers do not have: this is both halves of it for bytes in memory.
 */
export class ByteBlob extends Blob {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(bytes: Uint8Array<ArrayBuffer>, type: string) {
    super([], { type });
    this.#bytes = bytes;
  }

  override get size(): number {
    return this.#bytes.byteLength;
  }

  override slice(start?: number, end?: number, type?: string): Blob {
    return new ByteBlob(this.#bytes.subarray(start, end), type ?? this.type);
  }

  copy(): ArrayBuffer {
    return this.#bytes.slice().buffer;
  }
}

class FileReaderSync {
  readAsArrayBuffer(blob: ByteBlob): ArrayBuffer {
    return blob.copy();
  }
}

/** Gives this process a `FileReaderSync` for {@link ByteBlob}, unless it has one. */
export function installFileReaderSync(): void {
  if (!("FileReaderSync" in globalThis)) Object.assign(globalThis, { FileReaderSync });
}

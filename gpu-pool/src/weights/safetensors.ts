import { type FileHandle, open } from "node:fs/promises";
import {
  ELEMENT_BYTES,
  type HeaderEntry,
  HeaderProblem,
  headerLength,
  parseSafetensorsHeader,
  type SafetensorsDtype,
} from "@cartoon/protos/lora/safetensors-header";

/**
 * Reader of the safetensors format: 8 bytes little-endian header length, a JSON header, then raw tensors.
 * The file may come from a stranger, so every number of the header is checked before it is used.
 */

export { ELEMENT_BYTES, type SafetensorsDtype };

/** Where one tensor lies: `offset` counts bytes from the start of the file. */
export interface TensorEntry extends HeaderEntry {
  readonly file: string;
}

export interface SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** The `__metadata__` strings of the header (LoRA alpha, training notes). */
  readonly metadata: Readonly<Record<string, string>>;
}

export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
  constructor(path: string, problem: string) {
    super(`${path}: not a valid safetensors file: ${problem}`);
  }
}

async function readExactly(
  file: FileHandle,
  offset: number,
  length: number,
): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return buffer;
}

/**
 * Reads the header of a safetensors file; the tensors themselves stay on disk.
 * @throws SafetensorsError when the file is cut short or its header lies.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsFile> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const first = await readExactly(file, 0, Math.min(8, size));
    const length = headerLength(first ?? new Uint8Array(), size);
    const bytes = await readExactly(file, 8, length);
    if (!bytes) throw new HeaderProblem("the header is cut short");
    const { entries, metadata } = parseSafetensorsHeader(bytes, size);
    const tensors = new Map(entries.map((entry) => [entry.key, { ...entry, file: path }]));
    return { path, tensors, metadata };
  } catch (error) {
    if (error instanceof HeaderProblem) throw new SafetensorsError(path, error.message);
    throw error;
  } finally {
    await file.close();
  }
}

/** The raw bytes of one tensor. */
export async function readTensorBytes(entry: TensorEntry): Promise<Uint8Array> {
  const file = await open(entry.file, "r");
  try {
    const bytes = await readExactly(file, entry.offset, entry.byteLength);
    if (!bytes) throw new SafetensorsError(entry.file, `tensor "${entry.key}" is cut short`);
    return bytes;
  } finally {
    await file.close();
  }
}

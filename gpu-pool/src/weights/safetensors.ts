import { type FileHandle, open } from "node:fs/promises";

/**
 * Reader of the safetensors format: 8 bytes little-endian header length, a JSON header, then raw tensors.
 * The file may come from a stranger, so every number of the header is checked before it is used.
 */

/** Element types we accept, with their size in bytes. */
export const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

/** Where one tensor lies: `offset` counts bytes from the start of the file. */
export interface TensorEntry {
  readonly key: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
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

const MAX_HEADER_BYTES = 100 * 1024 * 1024;

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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/**
 * JSON.parse keeps the last of two equal keys silently, so that two readers could see two different
 * tensors under one name. Counting the top-level keys in the text shows it.
 */
function countTopLevelKeys(text: string): number {
  let depth = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") depth--;
    else if (c === ":" && depth === 1) count++;
  }
  return count;
}

function parseEntry(
  path: string,
  key: string,
  value: unknown,
  dataStart: number,
  dataBytes: number,
): TensorEntry {
  const fail = (problem: string): never => {
    throw new SafetensorsError(path, `tensor "${key}": ${problem}`);
  };
  if (!isRecord(value)) return fail("the entry is not an object");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    return fail(`dtype ${JSON.stringify(dtype)} is not one of ${Object.keys(ELEMENT_BYTES).join(", ")}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail("shape is not a list of whole numbers");
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail("data_offsets is not a pair of whole numbers");
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) return fail(`data_offsets ${begin}..${end} leave the file`);
  const elements = shape.reduce<number>((product, n) => product * n, 1);
  const wanted = elements * ELEMENT_BYTES[dtype as SafetensorsDtype];
  if (wanted !== end - begin) return fail(`shape needs ${wanted} bytes but data_offsets hold ${end - begin}`);
  return {
    key,
    dtype: dtype as SafetensorsDtype,
    shape,
    file: path,
    offset: dataStart + begin,
    byteLength: end - begin,
  };
}

function refuseOverlaps(path: string, entries: TensorEntry[]): void {
  const sorted = entries.filter((e) => e.byteLength > 0).sort((a, b) => a.offset - b.offset);
  let last: TensorEntry | undefined;
  for (const entry of sorted) {
    if (last && entry.offset < last.offset + last.byteLength) {
      throw new SafetensorsError(path, `tensors "${last.key}" and "${entry.key}" overlap`);
    }
    last = entry;
  }
}

/**
 * Reads the header of a safetensors file; the tensors themselves stay on disk.
 * @throws SafetensorsError when the file is cut short or its header lies.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsFile> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const lengthBytes = size >= 8 ? await readExactly(file, 0, 8) : undefined;
    if (!lengthBytes) throw new SafetensorsError(path, "shorter than 8 bytes");
    const declared = new DataView(lengthBytes.buffer).getBigUint64(0, true);
    if (declared > BigInt(MAX_HEADER_BYTES) || declared > BigInt(size - 8)) {
      throw new SafetensorsError(path, `header length ${declared} exceeds the file or 100 MB`);
    }
    const headerLength = Number(declared);
    const headerBytes = await readExactly(file, 8, headerLength);
    if (!headerBytes) throw new SafetensorsError(path, "the header is cut short");
    return parseHeader(path, headerBytes, size);
  } finally {
    await file.close();
  }
}

function parseHeader(path: string, headerBytes: Uint8Array, fileSize: number): SafetensorsFile {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(headerBytes);
    header = JSON.parse(text);
  } catch {
    throw new SafetensorsError(path, "the header is not JSON");
  }
  if (!isRecord(header)) throw new SafetensorsError(path, "the header is not an object");
  if (countTopLevelKeys(text) !== Object.keys(header).length) {
    throw new SafetensorsError(path, "a tensor name appears twice");
  }
  const dataStart = 8 + headerBytes.length;
  const metadata: Record<string, string> = {};
  const entries: TensorEntry[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") {
      for (const [name, note] of Object.entries(isRecord(value) ? value : {})) {
        if (typeof note === "string") metadata[name] = note;
      }
    } else entries.push(parseEntry(path, key, value, dataStart, fileSize - dataStart));
  }
  refuseOverlaps(path, entries);
  return { path, tensors: new Map(entries.map((entry) => [entry.key, entry])), metadata };
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

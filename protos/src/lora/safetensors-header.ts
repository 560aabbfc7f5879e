/**
 * The header of a safetensors file: 8 bytes little-endian length, JSON, then raw tensors. The file may come from a
 * stranger, so every number of the header is checked before it is used.
 */

import { scanJson } from "../scan-json.ts";

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

/** One tensor; `offset` counts bytes from the start of the file. */
export interface HeaderEntry {
  readonly key: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly HeaderEntry[];
  /** The `__metadata__` strings (LoRA alpha, training notes). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What is wrong with a header, without the file's name. */
export class HeaderProblem extends Error {
  override readonly name = "HeaderProblem";
}

/** More than any model that we run has; a header that is larger is a bomb. */
export const MAX_HEADER_BYTES = 8 * 1024 * 1024;
/** Bytes of the length before the header. */
export const LENGTH_BYTES = 8;

/**
 * Length of the header from a file's first 8 bytes.
 * @throws HeaderProblem when it exceeds the file or `maxHeaderBytes`
 */
export function headerLength(first: Uint8Array, fileSize: number, maxHeaderBytes = MAX_HEADER_BYTES): number {
  if (first.length < LENGTH_BYTES || fileSize < LENGTH_BYTES) throw new HeaderProblem("shorter than 8 bytes");
  const declared = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(maxHeaderBytes) || declared > BigInt(fileSize - LENGTH_BYTES)) {
    const limit = Math.round(maxHeaderBytes / 1024 / 1024);
    throw new HeaderProblem(`header length ${declared} exceeds the file or ${limit} MB`);
  }
  return Number(declared);
}

/**
 * Reads the JSON of a header.
 * @param bytes the header alone
 * @throws HeaderProblem when it lies about the file
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  const keys = scanned(bytes);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new HeaderProblem("the header is not JSON");
  }
  if (!isRecord(header)) throw new HeaderProblem("the header is not an object");
  if (keys !== Object.keys(header).length) throw new HeaderProblem("a tensor name appears twice");
  const dataStart = LENGTH_BYTES + bytes.length;
  const metadata: Record<string, string> = {};
  const entries: HeaderEntry[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") {
      for (const [name, note] of Object.entries(isRecord(value) ? value : {})) {
        if (typeof note === "string") metadata[name] = note;
      }
    } else entries.push(parseEntry(key, value, dataStart, fileSize - dataStart));
  }
  refuseOverlaps(entries);
  return { entries, metadata };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

const MAX_NAME = 512;

/** A whole model has a few thousand tensors, about fifteen values each; the header, a tensor, its shape. */
const LIMITS = { values: 200_000, depth: 3 };

function scanned(bytes: Uint8Array): number {
  try {
    return scanJson(bytes, LIMITS).keys;
  } catch (error) {
    throw new HeaderProblem(error instanceof Error ? error.message : String(error));
  }
}

function parseEntry(key: string, value: unknown, dataStart: number, dataBytes: number): HeaderEntry {
  const fail = (problem: string): never => {
    throw new HeaderProblem(`tensor "${key.slice(0, MAX_NAME)}": ${problem}`);
  };
  if (key.length > MAX_NAME) return fail(`its name has ${key.length} characters, more than ${MAX_NAME}`);
  if (!isRecord(value)) return fail("the entry is not an object");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    return fail(
      `dtype ${String(JSON.stringify(dtype)).slice(0, 80)} is not one of ${Object.keys(ELEMENT_BYTES).join(", ")}`,
    );
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
    offset: dataStart + begin,
    byteLength: end - begin,
  };
}

function refuseOverlaps(entries: readonly HeaderEntry[]): void {
  const sorted = entries.filter((e) => e.byteLength > 0).sort((a, b) => a.offset - b.offset);
  let last: HeaderEntry | undefined;
  for (const entry of sorted) {
    if (last && entry.offset < last.offset + last.byteLength) {
      throw new HeaderProblem(`tensors "${last.key}" and "${entry.key}" overlap`);
    }
    last = entry;
  }
}

import { type FileHandle, open } from "node:fs/promises";

const DYNAMIC_SEGMENT = 2;
const LOAD_SEGMENT = 1;
const TAG_END = 0;
const TAG_NEEDED = 1;
const TAG_STRTAB = 5;
const TAG_STRSZ = 10;

interface Segment {
  type: number;
  offset: number;
  address: number;
  bytes: number;
}

/**
 * Names of the libraries that a 64-bit ELF file loads (DT_NEEDED).
 * @throws Error when the file is not one
 */
export async function neededLibraries(path: string): Promise<string[]> {
  const file = await open(path);
  try {
    const header = await read(file, 0, 64);
    if (header.toString("latin1", 0, 4) !== "\x7fELF" || header[4] !== 2)
      throw new Error(`${path}: not a 64-bit library`);
    const segments = await readSegments(file, header);
    const dynamic = segments.find(({ type }) => type === DYNAMIC_SEGMENT);
    if (!dynamic) return [];
    const tags = readTags(await read(file, dynamic.offset, dynamic.bytes));
    const table = tags.find(({ tag }) => tag === TAG_STRTAB)?.value ?? 0;
    const size = tags.find(({ tag }) => tag === TAG_STRSZ)?.value ?? 0;
    const strings = await read(file, fileOffset(segments, table), size);
    return tags
      .filter(({ tag }) => tag === TAG_NEEDED)
      .map(({ value }) => strings.toString("latin1", value, strings.indexOf(0, value)));
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, offset);
  if (bytesRead < bytes) throw new Error("the library is cut short");
  return buffer;
}

async function readSegments(file: FileHandle, header: Buffer): Promise<Segment[]> {
  const start = Number(header.readBigUInt64LE(32));
  const size = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  const table = await read(file, start, size * count);
  return Array.from({ length: count }, (_, i) => ({
    type: table.readUInt32LE(i * size),
    offset: Number(table.readBigUInt64LE(i * size + 8)),
    address: Number(table.readBigUInt64LE(i * size + 16)),
    bytes: Number(table.readBigUInt64LE(i * size + 32)),
  }));
}

function readTags(dynamic: Buffer): { tag: number; value: number }[] {
  const tags: { tag: number; value: number }[] = [];
  for (let at = 0; at + 16 <= dynamic.length; at += 16) {
    const tag = Number(dynamic.readBigInt64LE(at));
    if (tag === TAG_END) break;
    tags.push({ tag, value: Number(dynamic.readBigUInt64LE(at + 8)) });
  }
  return tags;
}

function fileOffset(segments: readonly Segment[], address: number): number {
  const holder = segments.find(
    (one) => one.type === LOAD_SEGMENT && address >= one.address && address < one.address + one.bytes,
  );
  return holder ? address - holder.address + holder.offset : address;
}

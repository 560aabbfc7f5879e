import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";

/** A file inside a zip. */
export interface ZipEntry {
  name: string;
  /** 0 stored, 8 deflated. */
  method: number;
  packed: number;
  bytes: number;
  /** Of its local header. */
  offset: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT = 65_535;

/** Lists a zip (PKWARE APPNOTE 4.3.12, 4.3.16). @throws Error when it is none, or larger than 4 GiB */
export async function listZip(path: string): Promise<ZipEntry[]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(size, END_BYTES + MAX_COMMENT));
    await file.read(tail, 0, tail.length, size - tail.length);
    let at = tail.length - END_BYTES;
    while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
    if (at < 0) throw new Error(`${path}: not a zip`);
    const count = tail.readUInt16LE(at + 10);
    const directory = Buffer.alloc(tail.readUInt32LE(at + 12));
    const start = tail.readUInt32LE(at + 16);
    if (count === 0xffff || start === 0xffffffff) throw new Error(`${path}: a zip64, which no wheel needs`);
    await file.read(directory, 0, directory.length, start);
    return readDirectory(path, directory, count);
  } finally {
    await file.close();
  }
}

function readDirectory(path: string, directory: Buffer, count: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  for (let at = 0; entries.length < count; ) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== CENTRAL)
      throw new Error(`${path}: the zip's directory is damaged`);
    const nameLength = directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString("utf8", at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      packed: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/**
 * Unpacks one file of a zip. The target is replaced at once and as a whole: it may be a hard link into a package
 * cache, which must stay as it is.
 * @throws Error when the zip has none of that name, or the file is damaged
 */
export async function unpack(zip: string, name: string, target: string): Promise<void> {
  const entry = (await listZip(zip)).find((one) => one.name === name);
  if (!entry) throw new Error(`${zip}: holds no ${name}`);
  const start = await dataOffset(zip, entry);
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.part`;
  const packed = createReadStream(zip, { start, end: start + entry.packed - 1 });
  try {
    if (entry.method === 0) await pipeline(packed, createWriteStream(part));
    else if (entry.method === 8) await pipeline(packed, createInflateRaw(), createWriteStream(part));
    else throw new Error(`${zip}: ${name} is packed in an unknown way (${entry.method})`);
    const { size } = Bun.file(part);
    if (size !== entry.bytes) throw new Error(`${zip}: ${name} has ${size} bytes, not ${entry.bytes}`);
    await rename(part, target);
  } finally {
    await rm(part, { force: true });
  }
}

async function dataOffset(zip: string, { name, offset }: ZipEntry): Promise<number> {
  const file = await open(zip);
  try {
    const header = Buffer.alloc(30);
    await file.read(header, 0, header.length, offset);
    if (header.readUInt32LE(0) !== LOCAL) throw new Error(`${zip}: ${name} has no header`);
    return offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await file.close();
  }
}

import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

// "CTN1", step (uint32), SHA-256 of the settings, then the pipeline's own state.
const MAGIC = "CTN1";
const HEADER = 4 + 4 + 32;

/** Names everything that a state depends on, but for the places of files: another clip's, pack's or device's state is of no use. */
export function settingsDigest(settings: unknown): Buffer {
  const text = JSON.stringify(settings, (key, value) => (key === "file" ? undefined : value));
  return createHash("sha256").update(text).digest();
}

export async function writeState(
  file: string,
  state: Uint8Array,
  step: number,
  digest: Buffer,
): Promise<void> {
  const header = Buffer.alloc(HEADER);
  header.write(MAGIC, 0, "latin1");
  header.writeUInt32LE(step, 4);
  digest.copy(header, 8);
  await writeFile(file, Buffer.concat([header, state]));
}

/** Throws when the file is no state or belongs to other settings. */
export async function readState(file: string, digest: Buffer): Promise<{ state: Uint8Array; step: number }> {
  const bytes = await readFile(file);
  if (bytes.length < HEADER || bytes.toString("latin1", 0, 4) !== MAGIC) throw new Error("not a checkpoint");
  if (!bytes.subarray(8, HEADER).equals(digest)) throw new Error("the checkpoint belongs to other settings");
  return { state: bytes.subarray(HEADER), step: bytes.readUInt32LE(4) };
}

import { writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";

/**
 * Writes float32 values for another process of this machine. At once: a pass of the model follows, during which nothing
 * that waits gets a turn.
 */
export function writeFloats(file: string, values: Float32Array): void {
  writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** Reads what {@link writeFloats} has written, and removes it. */
export async function takeFloats(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  await rm(file, { force: true });
  // A small file comes out of a pool, at any offset.
  const own = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Float32Array(own.buffer, own.byteOffset, own.byteLength / 4);
}

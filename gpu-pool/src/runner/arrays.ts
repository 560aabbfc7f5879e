import { readFileSync, rmSync, writeFileSync } from "node:fs";

/**
 * Writes float32 values for another process of this machine. At once, as reading does: a pass of the model follows,
 * during which nothing that waits gets a turn.
 */
export function writeFloats(file: string, values: Float32Array): void {
  writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** Reads what {@link writeFloats} has written, and removes it. */
export function takeFloats(file: string): Float32Array {
  const bytes = readFileSync(file);
  rmSync(file, { force: true });
  // A small file comes out of a pool, at any offset.
  const own = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Float32Array(own.buffer, own.byteOffset, own.byteLength / 4);
}

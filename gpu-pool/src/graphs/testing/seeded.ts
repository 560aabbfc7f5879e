import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHalfArray } from "../../weights/float16.ts";

/**
 * Deterministic tensors from a name and a seed, the same as in scripts/goldens/picture/seeded.py, so that
 * fixtures hold no weights.
 */

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** `count` numbers in [-1, 1): murmur3's finaliser over a counter. */
export function uniform(name: string, seed: number, count: number): Float64Array {
  const start = fnv1a(`${name}#${seed}`);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (start + i) >>> 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    return (x >>> 8) / 2 ** 23 - 1;
  });
}

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Norm scales around 1, biases around 0, matrices with variance 1 / fan-in. */
export function seededWeight(name: string, seed: number, shape: readonly number[]): Float32Array {
  const u = uniform(name, seed, product(shape));
  const gain = Math.sqrt(3 / product(shape.slice(1)));
  if (shape.length > 1) return Float32Array.from(u, (v) => v * gain);
  const offset = name.endsWith(".weight") ? 1 : 0;
  return Float32Array.from(u, (v) => v * 0.2 + offset);
}

/** An input of unit variance (uniform). */
export function seededInput(name: string, seed: number, shape: readonly number[]): Float32Array {
  return Float32Array.from(uniform(name, seed, product(shape)), (v) => v * Math.sqrt(3));
}

export type TensorShapes = Readonly<Record<string, readonly number[]>>;

/** Writes a safetensors file with seeded weights, in float16 where `half` is set. */
export async function writeSeededWeights(
  path: string,
  shapes: TensorShapes,
  seed: number,
  half: boolean,
): Promise<void> {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const values = seededWeight(name, seed, shape);
    const data = half ? toHalfArray(values) : values;
    header[name] = { dtype: half ? "F16" : "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(new Uint8Array(data.buffer));
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  await writeFile(path, Buffer.concat([length, json, ...parts]));
}

/** A float32 tensor as the fixtures store it. */
export interface PackedTensor {
  readonly shape: readonly number[];
  readonly float32: string;
}

export function unpack({ float32 }: PackedTensor): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(float32, "base64")).buffer);
}

/** Largest absolute error in units of the wanted output's standard deviation. */
export function relativeError(got: Float32Array, wanted: Float32Array): number {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  const mean = wanted.reduce((a, b) => a + b, 0) / wanted.length;
  const variance = wanted.reduce((a, b) => a + (b - mean) ** 2, 0) / wanted.length;
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const error = Math.abs((got[i] ?? Number.NaN) - (wanted[i] ?? 0));
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst / Math.sqrt(variance);
}

export async function readFixture<T>(name: string): Promise<T> {
  const path = new URL(`../../../test-fixtures/picture/${name}.json`, import.meta.url);
  return JSON.parse(await readFile(path, "utf8")) as T;
}

/** Runs `work` with a temporary folder that is gone afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cartoon-graphs-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

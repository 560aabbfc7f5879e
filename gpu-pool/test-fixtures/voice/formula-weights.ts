import { writeFile } from "node:fs/promises";
import { toHalfArray } from "../../src/weights/float16.ts";

/** Weights from a formula of name and index; the reference is scripts/goldens/voice/formula_weights.py. */

const utf8 = new TextEncoder();

/** float32 in [0, 1) with 24 random bits. */
export function uniform(name: string, count: number): Float32Array {
  let seed = 0x811c9dc5;
  for (const byte of utf8.encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 0x9e3779b1) + seed) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    out[i] = (x >>> 8) * 2 ** -24;
  }
  return out;
}

/** The formula's weights of one tensor. */
export function formulaWeight(name: string, shape: readonly number[], gain: number): Float32Array {
  const u = uniform(
    name,
    shape.reduce((a, b) => a * b, 1),
  ).map((x) => x - 0.5);
  if (name.includes("norm") || name.endsWith("alpha")) return u.map((x) => 1 + Math.fround(x * 0.5));
  if (name.endsWith("bias")) return u.map((x) => x * Math.fround(0.2));
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  const scale = Math.fround(2 * gain * Math.sqrt(3 / fanIn));
  return u.map((x) => x * scale);
}

export type FixtureDtype = "float32" | "float16" | "bfloat16";

export interface FixtureTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Writes a safetensors file with the formula's weights in the given type. */
export async function writeFormulaWeights(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  gain: number,
  dtype: FixtureDtype,
): Promise<void> {
  const tensors = Object.entries(shapes).map(
    ([name, shape]) => [name, { shape, values: formulaWeight(name, shape, gain) }] as const,
  );
  await writeTensors(path, Object.fromEntries(tensors), dtype);
}

/** Writes a safetensors file. */
export async function writeTensors(
  path: string,
  tensors: Readonly<Record<string, FixtureTensor>>,
  dtype: FixtureDtype,
): Promise<void> {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const bytes = encode(values, dtype);
    const label = { float32: "F32", float16: "F16", bfloat16: "BF16" }[dtype];
    header[name] = { dtype: label, shape, data_offsets: [offset, offset + bytes.length] };
    parts.push(bytes);
    offset += bytes.length;
  }
  const json = utf8.encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  await writeFile(path, Buffer.concat([length, json, ...parts]));
}

function encode(values: Float32Array, dtype: FixtureDtype): Uint8Array {
  if (dtype === "float32") return new Uint8Array(values.buffer);
  if (dtype === "float16") return new Uint8Array(toHalfArray(values).buffer);
  const bits = new Uint32Array(values.buffer);
  // Round to nearest, ties to even.
  const words = Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16);
  return new Uint8Array(words.buffer);
}

/** Standard Gumbel noise of the goldens. */
export function fixtureGumbel(name: string, count: number): Float32Array {
  return uniform(name, count).map((u) => -Math.log(-Math.log(u + 1e-9) + 1e-9));
}

/** float32 values from base64. */
export function unpack(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return new Float32Array(bytes.buffer);
}

/** Largest absolute difference. */
export function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] ?? Number.NaN) - (expected[i] ?? 0));
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  return worst;
}

export function standardDeviation(values: ArrayLike<number>): number {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length);
}

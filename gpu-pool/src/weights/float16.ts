/**
 * IEEE 754 half precision and bfloat16 conversion.
 *
 * Values are carried as bit patterns in `Uint16Array` because `Float16Array` does not survive the
 * native boundary of every runtime we run on. Conversion to half rounds to nearest, ties to even.
 */

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

let halfToFloatTable: Float32Array | undefined;

function halfToFloatSlow(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

function table(): Float32Array {
  if (!halfToFloatTable) {
    halfToFloatTable = new Float32Array(65536);
    for (let i = 0; i < 65536; i++) halfToFloatTable[i] = halfToFloatSlow(i);
  }
  return halfToFloatTable;
}

/** One number to its half-precision bit pattern; overflow becomes infinity. */
export function floatToHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: multiples of 2^-24, Math.round would not tie to even.
    const scaled = Math.abs(scratch[0]) * 2 ** 24;
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** One half-precision bit pattern to a number. */
export function halfToFloat(half: number): number {
  return table()[half & 0xffff] ?? 0;
}

/** float32 values to half-precision bit patterns. */
export function toHalfArray(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = floatToHalf(values[i] ?? 0);
  return out;
}

/** Half-precision bit patterns to float32 values. */
export function fromHalfArray(halves: Uint16Array): Float32Array {
  const lookup = table();
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) out[i] = lookup[halves[i] ?? 0] ?? 0;
  return out;
}

/** bfloat16 bit patterns to float32 values (exact). */
export function fromBfloat16Array(words: Uint16Array): Float32Array {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (words[i] ?? 0) << 16;
  return new Float32Array(bits.buffer);
}

const N = 624;
const M = 397;

/**
 * The CPU generator of torch: MT19937 seeded by `init_genrand`, with torch's own ways from 32-bit words to floats.
 * `randn` and `rand` give what `torch.randn(n, generator=torch.Generator().manual_seed(seed))` and so
 * on give, to within 1e-6 (the last bits depend on the vector units that torch was built for).
 * Ported from pytorch 2.11: aten/src/ATen/core/MT19937RNGEngine.h, core/DistributionsHelper.h and
 * native/cpu/DistributionTemplates.h.
 */
export class Mt19937 {
  readonly #state = new Uint32Array(N);
  #next = N;
  /** The second normal of the last Box-Muller pair, kept as torch keeps it for tensors of fewer than 16 values. */
  #spare: number | undefined;

  /** @param seed whole number from 0 to 2^53 − 1; torch uses its low 32 bits */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new Error("seed: must be a whole number from 0 to 2^53 - 1");
    const state = this.#state;
    state[0] = Number(BigInt(seed) & 0xffff_ffffn);
    for (let i = 1; i < N; i++) {
      const previous = word(state, i - 1);
      state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** Uniform 32-bit word. */
  random32(): number {
    if (this.#next >= N) this.#twist();
    let y = word(this.#state, this.#next++);
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform 64-bit word, high half first. */
  random64(): bigint {
    const high = BigInt(this.random32());
    return (high << 32n) | BigInt(this.random32());
  }

  /** `torch.rand`: float32 in [0, 1) with 24 random bits. */
  rand(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.#uniform24());
  }

  /** `torch.randn` in float32. */
  randn(count: number): Float32Array {
    return count >= 16
      ? this.#randnBlocks(count)
      : Float32Array.from({ length: count }, () => this.#normal());
  }

  /**
   * Standard Gumbel noise, −ln(−ln u) of the uniforms of {@link Mt19937.rand}; a zero is taken as 2^-25.
   * In torch: `-(-torch.rand(n).clamp_min(2**-25).log()).log()`.
   */
  gumbel(count: number): Float32Array {
    return this.rand(count).map((u) => -Math.log(-Math.log(Math.max(u, 2 ** -25))));
  }

  /** `torch.randperm(count)`. */
  permutation(count: number): Uint32Array {
    const result = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < count - 1; i++) {
      const other = i + (this.random32() % (count - i));
      const kept = word(result, i);
      result[i] = word(result, other);
      result[other] = kept;
    }
    return result;
  }

  /** The whole state, to go on from later with {@link Mt19937.restore}. */
  save(): Uint8Array {
    const bytes = new Uint8Array(N * 4 + 4 + 1 + 8);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < N; i++) view.setUint32(i * 4, word(this.#state, i), true);
    view.setUint32(N * 4, this.#next, true);
    view.setUint8(N * 4 + 4, this.#spare === undefined ? 0 : 1);
    view.setFloat64(N * 4 + 5, this.#spare ?? 0, true);
    return bytes;
  }

  /** @throws Error when the bytes are not a state written by {@link Mt19937.save} */
  static restore(bytes: Uint8Array): Mt19937 {
    if (bytes.length !== N * 4 + 13)
      throw new Error(`random state: ${bytes.length} bytes, expected ${N * 4 + 13}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const generator = new Mt19937(0);
    for (let i = 0; i < N; i++) generator.#state[i] = view.getUint32(i * 4, true);
    const next = view.getUint32(N * 4, true);
    if (next > N) throw new Error(`random state: position ${next} is past ${N}`);
    generator.#next = next;
    generator.#spare = view.getUint8(N * 4 + 4) === 1 ? view.getFloat64(N * 4 + 5, true) : undefined;
    return generator;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (word(state, i) & 0x80000000) | (word(state, (i + 1) % N) & 0x7fffffff);
      state[i] = word(state, (i + M) % N) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }

  #uniform24(): number {
    return (this.random32() & 0xffffff) * 2 ** -24;
  }

  #uniform53(): number {
    return Number(this.random64() & 0x1f_ffff_ffff_ffffn) * 2 ** -53;
  }

  /** Blocks of 16: eight radii, eight angles. A ragged end is drawn anew as one whole block. */
  #randnBlocks(count: number): Float32Array {
    const data = this.rand(count);
    for (let start = 0; start + 16 <= count; start += 16) boxMuller(data.subarray(start, start + 16));
    if (count % 16 !== 0) {
      const tail = data.subarray(count - 16);
      tail.set(this.rand(16));
      boxMuller(tail);
    }
    return data;
  }

  /** Fewer than 16 values: scalar Box-Muller in float64, the pair's second half kept for the next call. */
  #normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const angle = 2 * Math.PI * this.#uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()));
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

function boxMuller(block: Float32Array): void {
  for (let i = 0; i < 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - (block[i] as number)));
    const angle = 2 * Math.PI * (block[i + 8] as number);
    block[i] = radius * Math.cos(angle);
    block[i + 8] = radius * Math.sin(angle);
  }
}

function word(values: Uint32Array, index: number): number {
  return values[index] as number;
}

/** Loudness and true peak by ITU-R BS.1770-5 for one channel, and their correction. */

import { breathe } from "../breathe.ts";

interface Biquad {
  readonly b: readonly [number, number, number];
  readonly a: readonly [number, number];
}

/**
 * The K-weighting for any sample rate: the analogue prototypes of the filters that BS.1770 gives for 48 kHz
 * (as in libebur128 1.2.6, `ebur128_init_filter`).
 */
function kWeighting(sampleRate: number): Biquad[] {
  const shelf = (() => {
    const k = Math.tan((Math.PI * 1681.974450955533) / sampleRate);
    const q = 0.7071752369554196;
    const vh = 10 ** (3.999843853973347 / 20);
    const vb = vh ** 0.4996667741545416;
    const a0 = 1 + k / q + k * k;
    return {
      b: [(vh + (vb * k) / q + k * k) / a0, (2 * (k * k - vh)) / a0, (vh - (vb * k) / q + k * k) / a0],
      a: [(2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0],
    } as const;
  })();
  const highPass = (() => {
    const k = Math.tan((Math.PI * 38.13547087602444) / sampleRate);
    const q = 0.5003270373238773;
    const a0 = 1 + k / q + k * k;
    return { b: [1, -2, 1], a: [(2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0] } as const;
  })();
  return [shelf, highPass];
}

/** In place. @param memory last two inputs and outputs, which are brought up to date */
function applyBiquad(samples: Float64Array, { b, a }: Biquad, memory: Float64Array): void {
  const [b0, b1, b2] = b;
  const [a1, a2] = a;
  let [x1 = 0, x2 = 0, y1 = 0, y2 = 0] = memory;
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i] ?? 0;
    const y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
    x2 = x1;
    x1 = x;
    y2 = y1;
    y1 = y;
    samples[i] = y;
  }
  memory.set([x1, x2, y1, y2]);
}

const loudnessOf = (power: number) => -0.691 + 10 * Math.log10(power);
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Blocks of 400 ms begin every 100 ms. */
const HOP_SECONDS = 0.1;
const HOPS_PER_BLOCK = 4;

/** Integrated loudness of sound that comes in pieces. */
export class LoudnessMeter {
  readonly #filters: readonly Biquad[];
  /** Last two inputs and outputs of each filter. */
  readonly #memory: readonly Float64Array[];
  readonly #hop: number;
  /** Energy of each hop; the last one is not full yet. */
  readonly #hops: number[] = [0];
  #filled = 0;

  constructor(sampleRate: number) {
    this.#filters = kWeighting(sampleRate);
    this.#memory = this.#filters.map(() => new Float64Array(4));
    this.#hop = Math.max(1, Math.round(sampleRate * HOP_SECONDS));
  }

  push(samples: Float32Array): void {
    const weighted = this.#weighted(samples);
    let energy = this.#hops.pop() ?? 0;
    for (let from = 0; from < weighted.length; ) {
      const to = Math.min(weighted.length, from + this.#hop - this.#filled);
      for (let i = from; i < to; i++) energy += (weighted[i] ?? 0) ** 2;
      this.#filled += to - from;
      from = to;
      if (this.#filled < this.#hop) continue;
      this.#hops.push(energy);
      energy = 0;
      this.#filled = 0;
    }
    this.#hops.push(energy);
  }

  #weighted(samples: Float32Array): Float64Array {
    const out = new Float64Array(samples);
    for (const [f, filter] of this.#filters.entries()) {
      const memory = this.#memory[f];
      if (memory) applyBiquad(out, filter, memory);
    }
    return out;
  }

  /** LUFS so far, gated; -Infinity for silence. Sound under 0.4 s counts as one block. */
  get loudness(): number {
    const whole = this.#hops.slice(0, -1);
    const powers: number[] = [];
    for (let i = 0; i + HOPS_PER_BLOCK <= whole.length; i++) {
      const energy = whole.slice(i, i + HOPS_PER_BLOCK).reduce((a, b) => a + b, 0);
      powers.push(energy / (HOPS_PER_BLOCK * this.#hop));
    }
    if (powers.length === 0) {
      const length = whole.length * this.#hop + this.#filled;
      const energy = this.#hops.reduce((a, b) => a + b, 0);
      if (length > 0) powers.push(energy / length);
    }
    const audible = powers.filter((power) => loudnessOf(power) > -70);
    if (audible.length === 0) return Number.NEGATIVE_INFINITY;
    const relative = loudnessOf(average(audible)) - 10;
    return loudnessOf(average(audible.filter((power) => loudnessOf(power) > relative)));
  }
}

/** Integrated loudness in LUFS, gated; -Infinity for silence. Sound under 0.4 s counts as one block. */
export function integratedLoudness(samples: Float32Array, sampleRate: number): number {
  const meter = new LoudnessMeter(sampleRate);
  meter.push(samples);
  return meter.loudness;
}

const OVERSAMPLING = 4;
const TAPS = 24;

/** Phases of a windowed sinc for values between the samples. */
const PHASES = Array.from({ length: OVERSAMPLING }, (_, phase) =>
  Float64Array.from({ length: TAPS }, (_, tap) => {
    const x = tap - TAPS / 2 + 1 - phase / OVERSAMPLING;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / (TAPS / 2 + 1));
    return (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)) * window;
  }),
);

/** No value between the samples is larger than the largest sample near it by more than this: the sum of the taps. */
const MAX_OVERSHOOT = Math.max(...PHASES.map((taps) => taps.reduce((sum, tap) => sum + Math.abs(tap), 0)));

/**
 * Peak around each sample, between the samples included, by oversampling four times.
 * @param floor peaks that are certainly below it are told as the sample itself, which is much faster
 */
export function truePeaks(samples: Float32Array, floor = 0): Float32Array {
  const peaks = samples.map(Math.abs);
  const certain = floor / MAX_OVERSHOOT;
  let lastLoud = Number.NEGATIVE_INFINITY;
  let nextLoud = 0;
  for (let i = 0; i < samples.length; i++) {
    if ((peaks[i] ?? 0) > certain) lastLoud = i;
    if (nextLoud < i) nextLoud = i;
    while (nextLoud < samples.length && Math.abs(samples[nextLoud] ?? 0) <= certain) nextLoud += 1;
    if (i - lastLoud > TAPS / 2 && nextLoud - i > TAPS / 2) continue;
    let peak = peaks[i] ?? 0;
    for (let phase = 1; phase < OVERSAMPLING; phase++) {
      const taps = PHASES[phase];
      let sum = 0;
      for (let t = 0; t < TAPS; t++) sum += (taps?.[t] ?? 0) * (samples[i + t - TAPS / 2 + 1] ?? 0);
      peak = Math.max(peak, Math.abs(sum));
    }
    peaks[i] = peak;
  }
  return peaks;
}

/** Largest true peak as an amplitude. */
export function truePeak(samples: Float32Array): number {
  return truePeaks(samples).reduce((a, b) => Math.max(a, b), 0);
}

export interface LoudnessTarget {
  /** LUFS. */
  readonly loudness: number;
  /** dBTP. */
  readonly truePeak: number;
}

/** What players expect of speech; the peak has some room for the encoder that follows. */
export const SPEECH_LOUDNESS: LoudnessTarget = { loudness: -16, truePeak: -1.3 };

/** The limiter takes some loudness away, so the gain is found in a few rounds. */
const ROUNDS = 4;
const CLOSE_ENOUGH = 0.1;

/** What the gain has to be multiplied with; 1 when the loudness is right, or there is nothing to hear. */
function correction(loudness: number, round: number, target: LoudnessTarget): number {
  const missing = target.loudness - loudness;
  const done = loudness === Number.NEGATIVE_INFINITY || (round > 0 && Math.abs(missing) < CLOSE_ENOUGH);
  return done ? 1 : 10 ** (missing / 20);
}

const amplified = (samples: Float32Array, gain: number, sampleRate: number, target: LoudnessTarget) =>
  limit(
    samples.map((x) => x * gain),
    sampleRate,
    10 ** (target.truePeak / 20),
  );

/** Brings sound to the target loudness with its true peaks limited. Silence stays silence. */
export function normaliseLoudness(
  samples: Float32Array,
  sampleRate: number,
  target: LoudnessTarget = SPEECH_LOUDNESS,
): Float32Array {
  let out = samples;
  let gain = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const factor = correction(integratedLoudness(out, sampleRate), round, target);
    if (factor === 1) break;
    gain *= factor;
    out = amplified(samples, gain, sampleRate, target);
  }
  return out;
}

/**
 * The same for a dialogue in parts that begin and end in silence, so that each can be limited by itself; the loudness is
 * that of all together. Between two parts the event loop gets its turn.
 * @throws the signal's reason when it is aborted
 */
export async function normaliseParts(
  parts: readonly Float32Array[],
  sampleRate: number,
  signal?: AbortSignal,
  target: LoudnessTarget = SPEECH_LOUDNESS,
): Promise<Float32Array[]> {
  let out = [...parts];
  let gain = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const meter = new LoudnessMeter(sampleRate);
    for (const part of out) {
      await breathe(signal);
      meter.push(part);
    }
    const factor = correction(meter.loudness, round, target);
    if (factor === 1) break;
    gain *= factor;
    out = [];
    for (const part of parts) {
      await breathe(signal);
      out.push(amplified(part, gain, sampleRate, target));
    }
  }
  return out;
}

/** Look-ahead limiter: the gain falls before a peak and rises slowly after it. */
export function limit(samples: Float32Array, sampleRate: number, ceiling: number): Float32Array {
  const look = Math.max(1, Math.round(sampleRate * 0.004));
  const peaks = truePeaks(samples, ceiling);
  const wanted = new Float64Array(peaks).fill(1);
  for (const [i, peak] of peaks.entries()) if (peak > ceiling) wanted[i] = ceiling / peak;
  const held = slidingMinimum(wanted, look);
  const release = Math.exp(-1 / (sampleRate * 0.06));
  let envelope = 1;
  for (let i = 0; i < held.length; i++) {
    const now = held[i] ?? 1;
    envelope = now < envelope ? now : 1 - (1 - envelope) * release;
    held[i] = Math.min(envelope, now);
  }
  // A moving average as long as the look-ahead makes the gain smooth and never above what is needed.
  const smooth = movingAverage(held, look);
  return samples.map((x, i) => x * (smooth[i] ?? 1));
}

/** Minimum of the values within `reach` on both sides. */
function slidingMinimum(values: Float64Array, reach: number): Float64Array {
  const out = new Float64Array(values.length);
  // Indices of rising values: the first is the minimum of the window.
  const queue = new Int32Array(values.length);
  let head = 0;
  let tail = 0;
  for (let i = 0; i < values.length + reach; i++) {
    const value = values[i] ?? 1;
    if (i < values.length) {
      while (tail > head && (values[queue[tail - 1] ?? 0] ?? 1) >= value) tail -= 1;
      queue[tail++] = i;
    }
    const centre = i - reach;
    if (centre < 0) continue;
    while ((queue[head] ?? 0) < centre - reach) head += 1;
    out[centre] = values[queue[head] ?? 0] ?? 1;
  }
  return out;
}

/** Average over `reach` values around each, ends padded with the edge values. */
function movingAverage(values: Float64Array, reach: number): Float64Array {
  const half = Math.floor(reach / 2);
  const last = values.length - 1;
  const out = new Float64Array(values.length);
  let sum = (half + 1) * (values[0] ?? 1);
  for (let i = 1; i <= half; i++) sum += values[Math.min(i, last)] ?? 1;
  for (let i = 0; i <= last; i++) {
    out[i] = sum / (2 * half + 1);
    sum += (values[Math.min(i + half + 1, last)] ?? 1) - (values[Math.max(i - half, 0)] ?? 1);
  }
  return out;
}

/** Loudness and true peak by ITU-R BS.1770-5 for one channel, and their correction. */

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

function applyBiquad(samples: Float64Array, { b, a }: Biquad): void {
  let x1 = 0;
  let x2 = 0;
  let y1 = 0;
  let y2 = 0;
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i] ?? 0;
    const y = b[0] * x + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2;
    x2 = x1;
    x1 = x;
    y2 = y1;
    y1 = y;
    samples[i] = y;
  }
}

const loudnessOf = (power: number) => -0.691 + 10 * Math.log10(power);
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Integrated loudness in LUFS, gated; -Infinity for silence. Sound under 0.4 s counts as one block. */
export function integratedLoudness(samples: Float32Array, sampleRate: number): number {
  const weighted = Float64Array.from(samples);
  for (const filter of kWeighting(sampleRate)) applyBiquad(weighted, filter);
  const block = Math.min(samples.length, Math.round(sampleRate * 0.4));
  const hop = Math.max(1, Math.round(sampleRate * 0.1));
  const powers: number[] = [];
  for (let from = 0; block > 0 && from + block <= weighted.length; from += hop) {
    let sum = 0;
    for (let i = from; i < from + block; i++) sum += (weighted[i] ?? 0) ** 2;
    powers.push(sum / block);
  }
  const audible = powers.filter((power) => loudnessOf(power) > -70);
  if (audible.length === 0) return Number.NEGATIVE_INFINITY;
  const relative = loudnessOf(average(audible)) - 10;
  return loudnessOf(average(audible.filter((power) => loudnessOf(power) > relative)));
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

/** Peak around each sample, between the samples included, by oversampling four times. */
export function truePeaks(samples: Float32Array): Float32Array {
  const peaks = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    let peak = Math.abs(samples[i] ?? 0);
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

/** Brings sound to the target loudness with its true peaks limited. Silence stays silence. */
export function normaliseLoudness(
  samples: Float32Array,
  sampleRate: number,
  target: LoudnessTarget = SPEECH_LOUDNESS,
): Float32Array {
  let out = samples;
  // The limiter takes some loudness away, so the gain is found in a few rounds.
  let gain = 1;
  for (let round = 0; round < 4; round++) {
    const loudness = integratedLoudness(out, sampleRate);
    if (loudness === Number.NEGATIVE_INFINITY) return samples;
    const missing = target.loudness - loudness;
    if (round > 0 && Math.abs(missing) < 0.1) break;
    gain *= 10 ** (missing / 20);
    out = limit(
      samples.map((x) => x * gain),
      sampleRate,
      10 ** (target.truePeak / 20),
    );
  }
  return out;
}

/** Look-ahead limiter: the gain falls before a peak and rises slowly after it. */
export function limit(samples: Float32Array, sampleRate: number, ceiling: number): Float32Array {
  const look = Math.max(1, Math.round(sampleRate * 0.004));
  const peaks = truePeaks(samples);
  const wanted = Float64Array.from(peaks, (peak) => Math.min(1, ceiling / Math.max(peak, 1e-9)));
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
  const queue: number[] = [];
  let head = 0;
  for (let i = 0; i < values.length + reach; i++) {
    if (i < values.length) {
      while (queue.length > head && (values[queue[queue.length - 1] ?? 0] ?? 1) >= (values[i] ?? 1))
        queue.pop();
      queue.push(i);
    }
    const centre = i - reach;
    if (centre < 0) continue;
    while ((queue[head] ?? 0) < centre - reach) head += 1;
    out[centre] = values[queue[head] ?? 0] ?? 1;
  }
  return out;
}

/** Average over `reach` values on both sides, ends padded with the edge values. */
function movingAverage(values: Float64Array, reach: number): Float64Array {
  const at = (i: number) => values[Math.min(values.length - 1, Math.max(0, i))] ?? 1;
  const out = new Float64Array(values.length);
  const half = Math.floor(reach / 2);
  let sum = 0;
  for (let i = -half; i <= half; i++) sum += at(i);
  for (let i = 0; i < values.length; i++) {
    out[i] = sum / (2 * half + 1);
    sum += at(i + half + 1) - at(i - half);
  }
  return out;
}

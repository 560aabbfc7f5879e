/** From here on a sample counts as cut off; so many in a row are heard. */
const CEILING = 0.985;
const MIN_RUN = 3;

export interface Declipped {
  readonly samples: Float32Array;
  /** Share of the samples that were cut off. */
  readonly clipped: number;
}

/**
 * Rounds off the flat tops of clipped sound: a cubic from the slope before a run to the slope after it, which may rise
 * above full scale (the loudness is brought in line afterwards).
 */
export function declip(samples: Float32Array): Declipped {
  const out = samples.slice();
  let clipped = 0;
  for (let i = 0; i < samples.length; i++) {
    const sign = Math.sign(samples[i] ?? 0);
    let end = i;
    while (end < samples.length && (samples[end] ?? 0) * sign >= CEILING) end += 1;
    const run = end - i;
    if (run < MIN_RUN) continue;
    clipped += run;
    roundOff(out, i, end, sign);
    i = end - 1;
  }
  return { samples: out, clipped: clipped / Math.max(1, samples.length) };
}

/** Hermite interpolation over `[from, to)` between the samples beside it. */
function roundOff(samples: Float32Array, from: number, to: number, sign: number): void {
  const span = to - from + 1;
  const [before, start] = [samples[from - 2] ?? 0, samples[from - 1] ?? 0];
  const [end, after] = [samples[to] ?? 0, samples[to + 1] ?? 0];
  const rise = (start - before) * span;
  const fall = (after - end) * span;
  for (let i = from; i < to; i++) {
    const t = (i - from + 1) / span;
    const value =
      (2 * t ** 3 - 3 * t ** 2 + 1) * start +
      (t ** 3 - 2 * t ** 2 + t) * rise +
      (3 * t ** 2 - 2 * t ** 3) * end +
      (t ** 3 - t ** 2) * fall;
    // Never below what was heard: the top was cut off, not the foot.
    samples[i] = sign * Math.min(2, Math.max(CEILING, value * sign));
  }
}

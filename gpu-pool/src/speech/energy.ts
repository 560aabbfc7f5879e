/** Root mean square of consecutive windows. */
export function windowLevels(samples: Float32Array, window: number): Float32Array {
  const levels = new Float32Array(Math.ceil(samples.length / window));
  for (let w = 0; w < levels.length; w++) {
    const end = Math.min(samples.length, (w + 1) * window);
    let sum = 0;
    for (let i = w * window; i < end; i++) sum += (samples[i] ?? 0) ** 2;
    levels[w] = Math.sqrt(sum / Math.max(1, end - w * window));
  }
  return levels;
}

export function decibels(amplitude: number): number {
  return 20 * Math.log10(Math.max(amplitude, 1e-9));
}

/** Windows that carry voice: within 36 dB of the loud parts and above -58 dBFS. */
export function voicedWindows(levels: Float32Array): boolean[] {
  const sorted = Float32Array.from(levels).sort();
  const loud = sorted[Math.floor(sorted.length * 0.95)] ?? 0;
  const threshold = Math.max(loud * 10 ** (-36 / 20), 10 ** (-58 / 20));
  return Array.from(levels, (level) => level > threshold);
}

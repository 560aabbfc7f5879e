import { decibels, windowLevels } from "./energy.ts";

export const MOUTH_RATE = 25;

/** How wide a mouth is open over time: loudness of each 40 ms, 0 below -45 dBFS to 1 at -12 dBFS and above. */
export function mouthTrack(samples: Float32Array, sampleRate: number): Float32Array {
  const levels = windowLevels(samples, Math.round(sampleRate / MOUTH_RATE));
  return levels.map((level) => Math.min(1, Math.max(0, (decibels(level) + 45) / 33)));
}

import { decibels, windowLevels } from "./energy.ts";

export const MOUTH_RATE = 25;

/** How wide a mouth is open over time: loudness of each 40 ms, 0 below -45 dBFS to 1 at -12 dBFS and above. */
export function mouthTrack(samples: Float32Array, sampleRate: number): Float32Array {
  const levels = windowLevels(samples, Math.round(sampleRate / MOUTH_RATE));
  return levels.map((level) => Math.min(1, Math.max(0, (decibels(level) + 45) / 33)));
}

/** A line as an animator wants it: who, from when to when, and how wide the mouth is open in every frame of the clip. */
export interface MouthLine {
  readonly speaker: string;
  readonly character: string | null;
  /** Seconds from the start of the clip. */
  readonly start: number;
  readonly end: number;
  /** Frame of the clip that `levels` begins with. */
  readonly frame: number;
  /** 0 to 1, one for each frame from `start` to `end`. */
  readonly levels: number[];
}

/** The track of each line at the frame rate of a clip: of every frame the widest moment. */
export function mouthLines(
  track: { readonly rate: number; readonly levels: ArrayLike<number> },
  lines: readonly Omit<MouthLine, "frame" | "levels">[],
  fps: number,
): MouthLine[] {
  return lines.map(({ speaker, character, start, end }) => {
    const frame = Math.floor(start * fps);
    const count = Math.max(1, Math.ceil(end * fps) - frame);
    const levels = Array.from({ length: count }, (_, i) => {
      const from = Math.max(start, (frame + i) / fps) * track.rate;
      const to = Math.min(end, (frame + i + 1) / fps) * track.rate;
      let level = 0;
      for (let k = Math.floor(from); k < Math.max(to, from + 1e-9); k++)
        level = Math.max(level, track.levels[k] ?? 0);
      return level;
    });
    return { speaker, character, start, end, frame, levels };
  });
}

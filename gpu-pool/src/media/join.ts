import { type Mp4Job, sideTracks } from "./mp4.ts";
import { CONTAINER, PICTURE_ENCODING } from "./picture-track.ts";
import { runFfmpeg } from "./run-ffmpeg.ts";
import type { Sound } from "./wav.ts";

/** A shot on the time line of the joined clip, in its frames. */
export interface PlacedShot {
  /** MP4 with the picture. */
  file: string;
  /** First frame of the joined clip that shows it. */
  start: number;
  frames: number;
  /** Frames that it shares with the next shot: the length of the cross-fade, 0 for a cut. */
  overlap: number;
}

export interface JoinJob extends Pick<Mp4Job, "sound" | "captions" | "metadata" | "folder" | "signal"> {
  ffmpeg: string;
  shots: PlacedShot[];
  /** Pixels of the result, even numbers; a shot of another shape gets bars. */
  width: number;
  height: number;
  fps: number;
  output: string;
}

/** Frames of the joined clip. */
export const joinedFrames = (shots: PlacedShot[]): number =>
  Math.max(0, ...shots.map(({ start, frames }) => start + frames));

/** Shots one after the other as one MP4, encoded like any clip. The same shots give the same bytes. */
export async function joinMp4(job: JoinJob): Promise<void> {
  const { shots, ffmpeg, signal, output } = job;
  const pictures = shots.flatMap(({ file }) => ["-i", file]);
  const tracks = await sideTracks(job, joinedFrames(shots) / job.fps, shots.length);
  const filters = ["-filter_complex", joinFilter(job), "-map", "[joined]"];
  const encoding = [...PICTURE_ENCODING, ...CONTAINER];
  const args = [...pictures, ...tracks.inputs, ...filters, ...tracks.outputs, ...encoding, output];
  await runFfmpeg({ ffmpeg, args, signal });
}

/**
 * Every shot at the same size and rate, with exactly its frames, cut where a cross-fade begins and ends; the frames
 * that two shots share are laid over each other, the later one fading in. Only filters that old versions have too.
 */
function joinFilter({
  shots,
  width,
  height,
  fps,
}: Pick<JoinJob, "shots" | "width" | "height" | "fps">): string {
  const chains: string[] = [];
  const parts: string[] = [];
  const fit = [
    `scale=${width}:${height}:force_original_aspect_ratio=decrease:flags=lanczos`,
    `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2`,
    "setsar=1",
    `fps=${fps}`,
    "tpad=stop=2:stop_mode=clone",
  ].join(",");
  const restart = `setpts=N/(${fps}*TB)`;
  shots.forEach(({ frames, overlap }, i) => {
    const before = shots[i - 1]?.overlap ?? 0;
    const pieces = [
      { name: `in${i}`, from: 0, to: before },
      { name: `body${i}`, from: before, to: frames - overlap },
      { name: `out${i}`, from: frames - overlap, to: frames },
    ].filter(({ from, to }) => to > from);
    const copies = pieces.map(({ name }) => `[${name}copy]`).join("");
    chains.push(`[${i}:v]${fit},split=${pieces.length}${copies}`);
    for (const { name, from, to } of pieces)
      chains.push(`[${name}copy]trim=start_frame=${from}:end_frame=${to},${restart}[${name}]`);
    if (before > 0) {
      chains.push(`[in${i}]format=yuva420p,fade=in:0:${before}:alpha=1[fade${i}]`);
      chains.push(`[out${i - 1}][fade${i}]overlay=format=yuv420[both${i}]`);
      parts.push(`[both${i}]`);
    }
    parts.push(`[body${i}]`);
  });
  const all = `${parts.join("")}concat=n=${parts.length}:v=1:a=0,${restart},format=yuv420p[joined]`;
  return [...chains, all].join(";");
}

/** -1 dBFS: the peak that joined voices stay under. */
const PEAK = 10 ** (-1 / 20);

export interface PlacedSound {
  sound: Sound;
  /** Seconds from the start of the joined clip. */
  start: number;
}

/**
 * The sounds of all shots at their places. Where a cross-fade overlaps two shots both are heard as they are, so that no
 * last word is faded out; where that is too loud, the whole is turned down.
 * @throws Error when the sounds differ in their sample rate
 */
export function mixSounds(placed: PlacedSound[], seconds: number): Sound | undefined {
  const [first] = placed;
  if (!first) return undefined;
  const { sampleRate } = first.sound;
  const samples = new Float32Array(Math.round(seconds * sampleRate));
  for (const { sound, start } of placed) {
    if (sound.sampleRate !== sampleRate)
      throw new Error(`the shots speak at ${sampleRate} and at ${sound.sampleRate} samples per second`);
    const offset = Math.round(start * sampleRate);
    const length = Math.min(sound.samples.length, samples.length - offset);
    for (let i = 0; i < length; i++)
      samples[offset + i] = (samples[offset + i] ?? 0) + (sound.samples[i] ?? 0);
  }
  const loudest = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  const loudestAlone = Math.max(...placed.map(({ sound }) => peakOf(sound)));
  if (loudest <= Math.max(PEAK, loudestAlone)) return { samples, sampleRate };
  return { samples: samples.map((sample) => (sample * PEAK) / loudest), sampleRate };
}

const peakOf = ({ samples }: Sound): number =>
  samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);

/** One frame of a clip as PNG. */
export async function stillOf(job: {
  ffmpeg: string;
  clip: string;
  frame: number;
  output: string;
  signal?: AbortSignal;
}): Promise<void> {
  const select = `select=eq(n\\,${job.frame})`;
  const args = [
    "-i",
    job.clip,
    "-vf",
    select,
    "-vsync",
    "0",
    "-frames:v",
    "1",
    "-c:v",
    "png",
    "-f",
    "image2",
  ];
  await runFfmpeg({ ffmpeg: job.ffmpeg, args: [...args, job.output], signal: job.signal });
}

/** Longer clips are no GIFs: the format would be many times the size of the MP4. */
export const MAX_GIF_SECONDS = 20;
const GIF_FPS = 12;

/** A clip as an endless GIF with a palette of its own, at most 12 frames a second. */
export async function gifOf(job: {
  ffmpeg: string;
  clip: string;
  width: number;
  height: number;
  fps: number;
  output: string;
  signal?: AbortSignal;
}): Promise<void> {
  const size = `fps=${Math.min(job.fps, GIF_FPS)},scale=${job.width}:${job.height}:flags=lanczos`;
  const palette =
    "palettegen=stats_mode=full[p];[b][p]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle";
  const filter = `[0:v]${size},split[a][b];[a]${palette}`;
  const args = ["-i", job.clip, "-filter_complex", filter, "-loop", "0", "-fflags", "+bitexact", "-f", "gif"];
  await runFfmpeg({ ffmpeg: job.ffmpeg, args: [...args, job.output], signal: job.signal });
}

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Caption, toSubRip } from "./captions.ts";
import type { Fit } from "./fit.ts";
import { type Frames, frameAt } from "./frames.ts";
import { type ClipMetadata, metadataWav } from "./metadata.ts";
import { runFfmpeg } from "./run-ffmpeg.ts";
import { fitSound, type Sound, toWav } from "./wav.ts";

export interface Mp4Job {
  ffmpeg: string;
  frames: Frames;
  fit: Fit;
  /** Pixels of the result; H.264 4:2:0 wants even numbers. */
  width: number;
  height: number;
  sound?: Sound;
  captions?: Caption[];
  metadata: ClipMetadata;
  /** Folder for the files that ffmpeg reads. */
  folder: string;
  output: string;
  signal?: AbortSignal;
}

/**
 * H.264 (yuv420p, BT.709) with AAC and a text track, index first so that it plays while it loads.
 * The same input gives the same bytes: no clock and no encoder version goes into the file.
 */
export async function encodeMp4(job: Mp4Job): Promise<void> {
  const { frames, fit } = job;
  const picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${frames.width}x${frames.height}`];
  picture.push("-r", String(frames.fps), "-i", "pipe:0");
  const tracks = await sideTracks(job, fit.seconds, 1);
  const filters = ["-map", "0:v", "-vf", filtersOf(job)];
  await runFfmpeg({
    ffmpeg: job.ffmpeg,
    args: [...picture, ...tracks.inputs, ...filters, ...tracks.outputs, ...ENCODING, job.output],
    input: shown(frames, fit.timeline),
    signal: job.signal,
  });
}

/**
 * What an MP4 holds beside its picture: sound, text track and metadata, as inputs of ffmpeg and what becomes of them.
 * @param first index of the first of these inputs
 */
export async function sideTracks(
  job: Pick<Mp4Job, "sound" | "captions" | "metadata" | "folder">,
  seconds: number,
  first: number,
): Promise<{ inputs: string[]; outputs: string[] }> {
  const { folder } = job;
  const inputs: string[] = [];
  const maps: string[] = [];
  let next = first;
  if (job.sound) {
    const wav = join(folder, "mux.wav");
    await writeFile(wav, toWav(fitSound(job.sound, seconds)));
    inputs.push("-i", wav);
    maps.push("-map", `${next++}:a`, "-c:a", "aac", "-b:a", "128k", "-ac", "1");
  }
  const subtitles = job.captions ? toSubRip(job.captions, seconds) : "";
  if (subtitles) {
    const srt = join(folder, "mux.srt");
    await writeFile(srt, subtitles);
    inputs.push("-f", "srt", "-i", srt);
    maps.push("-map", `${next++}:s`, "-c:s", "mov_text", "-metadata:s:s:0", "language=eng");
  }
  const metadata = join(folder, "mux-metadata.wav");
  await writeFile(metadata, metadataWav(job.metadata));
  inputs.push("-i", metadata);
  maps.push("-map_metadata", String(next));
  return { inputs, outputs: maps };
}

function filtersOf({ width, height, frames }: Mp4Job): string {
  const filters = [];
  if (width !== frames.width || height !== frames.height)
    filters.push(`scale=${width}:${height}:flags=lanczos`);
  filters.push("scale=out_color_matrix=bt709:out_range=tv", "format=yuv420p");
  return filters.join(",");
}

/** How every MP4 is encoded; the output's name comes next. */
export const ENCODING = [
  ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "animation", "-crf", "19"],
  ...["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"],
  ...["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"],
  ...["-movflags", "+faststart", "-f", "mp4"],
];

function* shown(frames: Frames, timeline: number[]): Generator<Uint8Array> {
  const black = new Uint8Array(frames.width * frames.height * 3);
  for (const index of timeline) yield index < 0 ? black : frameAt(frames, index);
}

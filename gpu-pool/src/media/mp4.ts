import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Caption, toSubRip } from "./captions.ts";
import type { Fit } from "./fit.ts";
import { type Frames, frameAt } from "./frames.ts";
import { type ClipMetadata, metadataWav } from "./metadata.ts";
import { CONTAINER, PictureTrack } from "./picture-track.ts";
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

/** An MP4 around a picture track that is there already. */
export type MuxJob = Pick<
  Mp4Job,
  "ffmpeg" | "sound" | "captions" | "metadata" | "folder" | "output" | "signal"
> & {
  /** What {@link PictureTrack} has made. */
  picture: string;
  /** Length of the picture. */
  seconds: number;
};

/**
 * H.264 (yuv420p, BT.709) with AAC and a text track, index first so that it plays while it loads.
 * The same input gives the same bytes: no clock and no encoder version goes into the file.
 */
export async function encodeMp4(job: Mp4Job): Promise<void> {
  const { frames, fit, folder } = job;
  const picture = join(folder, "mux-picture.mp4");
  const track = new PictureTrack({ ...job, output: picture });
  try {
    for (const frame of shown(frames, fit.timeline)) await track.write(frame);
    await track.end();
  } finally {
    await track.kill();
  }
  await muxMp4({ ...job, picture, seconds: fit.seconds });
}

/** Puts a picture track, as it is, together with its sound, text and metadata. */
export async function muxMp4(job: MuxJob): Promise<void> {
  const { ffmpeg, picture, seconds, signal, output } = job;
  const tracks = await sideTracks(job, seconds, 1);
  const args = ["-i", picture, ...tracks.inputs, "-map", "0:v", "-c:v", "copy", ...tracks.outputs];
  await runFfmpeg({ ffmpeg, args: [...args, ...CONTAINER, output], signal });
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

/** Frames of a clip in the order of its time line. */
export function* shown(frames: Frames, timeline: readonly number[]): Generator<Uint8Array> {
  const black = new Uint8Array(frames.width * frames.height * 3);
  for (const index of timeline) yield index < 0 ? black : frameAt(frames, index);
}

import type { Frames } from "./frames.ts";
import { type Ffmpeg, startFfmpeg } from "./run-ffmpeg.ts";

export interface PictureJob {
  ffmpeg: string;
  /** What the frames look like that will be written. */
  frames: Pick<Frames, "width" | "height" | "fps">;
  /** Pixels of the result; H.264 4:2:0 wants even numbers. */
  width: number;
  height: number;
  /** An MP4 of the picture alone. */
  output: string;
  signal?: AbortSignal;
}

/** How every picture is encoded. */
export const PICTURE_ENCODING = [
  ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "animation", "-crf", "19"],
  ...["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"],
];

/** How every MP4 is written; the output's name comes next. */
export const CONTAINER = [
  ...["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"],
  ...["-movflags", "+faststart", "-f", "mp4"],
];

/** Encodes frames as they come. Whoever makes one ends or kills it. */
export class PictureTrack {
  readonly #ffmpeg: Ffmpeg;

  constructor(job: PictureJob) {
    const { ffmpeg, frames, output, signal } = job;
    const raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${frames.width}x${frames.height}`];
    const args = [...raw, "-r", String(frames.fps), "-i", "pipe:0", "-map", "0:v", "-vf", filtersOf(job)];
    this.#ffmpeg = startFfmpeg(
      { ffmpeg, args: [...args, ...PICTURE_ENCODING, ...CONTAINER, output], signal },
      "pipe",
    );
  }

  /** Takes whole frames, in order; resolves when the encoder has taken them. One call at a time. */
  write(frames: Uint8Array): Promise<void> {
    return this.#ffmpeg.write(frames);
  }

  /** No more frames will come. Throws when the encoder has failed, and the abort reason when aborted. */
  end(): Promise<void> {
    return this.#ffmpeg.end();
  }

  /** Gives the picture up, if it has not ended; waits until the encoder is gone. */
  kill(): Promise<void> {
    return this.#ffmpeg.kill();
  }
}

function filtersOf({ width, height, frames }: PictureJob): string {
  const filters = [];
  if (width !== frames.width || height !== frames.height)
    filters.push(`scale=${width}:${height}:flags=lanczos`);
  filters.push("scale=out_color_matrix=bt709:out_range=tv", "format=yuv420p");
  return filters.join(",");
}

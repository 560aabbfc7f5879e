import { type Frames, frameAt } from "./frames.ts";
import { runFfmpeg } from "./run-ffmpeg.ts";

/** Longer side of a GIF: beyond it the format grows out of all proportion. */
export const MAX_GIF_SIDE = 480;

/** The size a GIF of `width` x `height` gets: never larger than asked, at most `MAX_GIF_SIDE` on its longer side. */
export function gifSize(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, MAX_GIF_SIDE / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

export interface GifJob {
  ffmpeg: string;
  frames: Frames;
  width: number;
  height: number;
  output: string;
  signal?: AbortSignal;
}

/** An endless GIF with a palette of its own. */
export async function encodeGif({ ffmpeg, frames, width, height, output, signal }: GifJob): Promise<void> {
  const scale =
    width === frames.width && height === frames.height ? "" : `scale=${width}:${height}:flags=lanczos,`;
  const filter = `${scale}split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle`;
  await runFfmpeg({
    ffmpeg,
    args: [
      ...["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${frames.width}x${frames.height}`],
      ...["-r", String(frames.fps), "-i", "pipe:0"],
      ...["-filter_complex", filter, "-loop", "0", "-fflags", "+bitexact", "-f", "gif", output],
    ],
    input: Array.from({ length: frames.count }, (_, i) => frameAt(frames, i)),
    signal,
  });
}

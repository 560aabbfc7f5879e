import { createRequire } from "node:module";

export interface Streams {
  /** Codec of each stream, in the file's order. */
  codecs: string[];
  /** First video stream as ffmpeg describes it: pixel format, colours, size, rate. */
  video: string;
  /** Pictures that really are in it. */
  frames: number;
  /** Container's metadata; ffmpeg shows the beginning of it. */
  comment: string;
}

/** What a clip holds, as ffmpeg sees it while it decodes the pictures: also where there is no ffprobe. */
export async function streamsOf(file: string): Promise<Streams> {
  const ffmpeg: string = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path;
  const args = ["-hide_banner", "-nostdin", "-i", file, "-map", "0:v:0", "-vsync", "0", "-f", "null", "-"];
  const child = Bun.spawn([ffmpeg, ...args], { stdout: "ignore", stderr: "pipe" });
  const log = await new Response(child.stderr).text();
  const [input = ""] = log.split("Stream mapping:");
  const streams = [...input.matchAll(/Stream #0:\d+\S*: (?:Video|Audio|Subtitle): (\w+)(.*)/g)];
  return {
    codecs: streams.map(([, codec = ""]) => codec),
    video: streams[0]?.[2] ?? "",
    frames: Number([...log.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0),
    comment: /comment\s*: (.*)/.exec(input)?.[1] ?? "",
  };
}

/** True where the index comes before the pictures, so that a clip plays while it loads. */
export function startsFast(mp4: Uint8Array): boolean {
  const bytes = Buffer.from(mp4);
  return bytes.indexOf("moov") < bytes.indexOf("mdat");
}

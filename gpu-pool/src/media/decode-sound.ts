import { open } from "node:fs/promises";
import { runFfmpeg } from "./run-ffmpeg.ts";

/** A sound file that can't be read, in words for its owner. */
export class SoundError extends Error {
  override readonly name = "SoundError";
}

/** Seconds of a clip that are looked at; longer ones are refused by whoever reads the result. */
const MAX_SECONDS = 31;
const HEAD_BYTES = 16;

/**
 * Decodes a clip from a stranger to mono WAV of 16 bits at its own rate. The demuxer is chosen by the file's first
 * bytes, never by ffmpeg's guess, so that a playlist can't make it open other files; length and size are bounded.
 * @throws SoundError
 */
export async function decodeSound(
  ffmpeg: string,
  input: string,
  output: string,
  signal: AbortSignal,
): Promise<void> {
  const format = demuxerOf(await readHead(input));
  if (!format) throw new SoundError("no WAV, FLAC, MP3, Ogg, M4A or WebM file");
  const args = [
    ...["-protocol_whitelist", "file", "-f", format, "-i", `file:${input}`],
    ...["-map", "0:a:0", "-t", String(MAX_SECONDS), "-ac", "1", "-c:a", "pcm_s16le"],
    ...["-map_metadata", "-1", "-f", "wav", `file:${output}`],
  ];
  try {
    await runFfmpeg({ ffmpeg, args, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && error.name === "FfmpegKilled") throw error;
    throw new SoundError("the clip can't be decoded: it is damaged or holds no sound");
  }
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function demuxerOf(head: Buffer): string | undefined {
  if (head.length < 4) return undefined;
  const ascii = (from: number, to: number) => head.toString("latin1", from, to);
  if (ascii(0, 4) === "RIFF" && ascii(8, 12) === "WAVE") return "wav";
  if (ascii(0, 4) === "fLaC") return "flac";
  if (ascii(0, 4) === "OggS") return "ogg";
  if (ascii(4, 8) === "ftyp") return "mov";
  if (head.readUInt32BE(0) === 0x1a45dfa3) return "matroska";
  const [a = 0, b = 0] = head;
  return ascii(0, 3) === "ID3" || (a === 0xff && (b & 0xe6) === 0xe2) ? "mp3" : undefined;
}

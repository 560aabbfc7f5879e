/** A voice clip that can't be used, in words for its owner. */
export class VoiceClipError extends Error {
  override readonly name = "VoiceClipError";
}

export interface VoiceClip {
  format: "wav" | "flac" | "mp3" | "ogg" | "m4a" | "webm";
  /** As its header says; null where only decoding tells. */
  seconds: number | null;
}

/** Bytes of a clip. */
export const MAX_VOICE_BYTES = 10 * 1024 * 1024;
/** Bytes that are looked at. */
export const VOICE_HEAD_BYTES = 64 * 1024;
const MIN_SECONDS = 0.5;
const MAX_SECONDS = 30;

/**
 * Tells what a clip is by its first bytes, and how long where its header says so. It is decoded on a node, within the
 * same limits.
 * @param head the first bytes of the file
 * @throws VoiceClipError
 */
export function inspectVoice(head: Uint8Array, fileSize: number): VoiceClip {
  const format = formatOf(head);
  if (!format) throw new VoiceClipError("no WAV, FLAC, MP3, Ogg, M4A or WebM file");
  const seconds =
    format === "wav" ? wavSeconds(head, fileSize) : format === "flac" ? flacSeconds(head) : null;
  if (seconds !== null && (seconds < MIN_SECONDS || seconds > MAX_SECONDS))
    throw new VoiceClipError(`${seconds.toFixed(1)} s long; ${MIN_SECONDS} to ${MAX_SECONDS} s are allowed`);
  return { format, seconds: seconds === null ? null : Number(seconds.toFixed(2)) };
}

const ascii = (bytes: Uint8Array, from: number, length: number) =>
  String.fromCharCode(...bytes.subarray(from, from + length));

function formatOf(head: Uint8Array): VoiceClip["format"] | undefined {
  if (ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 4) === "WAVE") return "wav";
  if (ascii(head, 0, 4) === "fLaC") return "flac";
  if (ascii(head, 0, 4) === "OggS") return "ogg";
  if (ascii(head, 4, 4) === "ftyp") return "m4a";
  const [a = 0, b = 0, c = 0, d = 0] = head;
  if (a === 0x1a && b === 0x45 && c === 0xdf && d === 0xa3) return "webm";
  // An MPEG audio frame of layer III: eleven set bits, then version, layer and no reserved rate.
  const isFrame = a === 0xff && (b & 0xe0) === 0xe0 && (b & 0x06) === 0x02 && (c & 0xf0) !== 0xf0;
  return ascii(head, 0, 3) === "ID3" || isFrame ? "mp3" : undefined;
}

function wavSeconds(head: Uint8Array, fileSize: number): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let bytesPerSecond = 0;
  for (let at = 12; at + 8 <= head.length; ) {
    const label = ascii(head, at, 4);
    const size = view.getUint32(at + 4, true);
    if (label === "fmt " && at + 24 <= head.length) {
      const channels = view.getUint16(at + 10, true);
      const rate = view.getUint32(at + 12, true);
      const bits = view.getUint16(at + 22, true);
      bytesPerSecond = (channels * rate * bits) / 8;
    }
    if (label === "data") {
      if (bytesPerSecond === 0) break;
      // What is there counts; recorders that stream leave the size open.
      return Math.max(0, Math.min(size === 0 ? fileSize : size, fileSize - at - 8)) / bytesPerSecond;
    }
    at += 8 + size + (size % 2);
  }
  throw new VoiceClipError("a WAV file without format or sound");
}

/** From STREAMINFO, which comes first: rate in 20 bits, number of samples in 36. */
function flacSeconds(head: Uint8Array): number | null {
  if (head.length < 26) throw new VoiceClipError("a FLAC file that is cut short");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const rate = view.getUint32(18) >>> 12;
  const samples = (view.getUint8(21) & 0x0f) * 2 ** 32 + view.getUint32(22);
  if (rate === 0) throw new VoiceClipError("a FLAC file without a sample rate");
  return samples === 0 ? null : samples / rate;
}

/** A voice prompt cannot be read. */
export class WavError extends Error {
  override readonly name = "WavError";
  constructor(problem: string) {
    super(`not a usable WAV file: ${problem}`);
  }
}

export interface WavSound {
  /** Mono, -1 to 1: the channels' average. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

const MAX_SECONDS = 30;
const MAX_CHUNKS = 1_000;
// Names of chunks, as their four bytes.
const [RIFF, WAVE, FMT, DATA] = ["RIFF", "WAVE", "fmt ", "data"].map((name) =>
  Buffer.from(name, "latin1").readUInt32BE(0),
);
const MAX_CHANNELS = 8;

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

/**
 * Reads RIFF WAVE from a stranger: PCM of 8, 16, 24 or 32 bits or float of 32 or 64, any rate from 4 to 192 kHz, up to 8
 * channels and 30 seconds. Memory follows from the bytes that are there, never from what a header claims.
 * @throws WavError
 */
export function readWav(bytes: Uint8Array): WavSound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== RIFF || view.getUint32(8) !== WAVE)
    throw new WavError("no RIFF WAVE header");
  let format: Format | undefined;
  for (let at = 12, chunks = 0; at + 8 <= bytes.length; chunks++) {
    if (chunks > MAX_CHUNKS) throw new WavError(`more than ${MAX_CHUNKS} chunks before the sound`);
    const size = view.getUint32(at + 4, true);
    const from = at + 8;
    if (view.getUint32(at) === FMT) format = readFormat(view, from, size);
    if (view.getUint32(at) === DATA) {
      if (!format) throw new WavError("sound comes before its format");
      // Recorders that stream leave the size at 0 or at its maximum.
      const unknown = size === 0 || size >= 0xffff_ff00;
      const end = unknown ? bytes.length : from + size;
      if (end > bytes.length) throw new WavError(`cut short: ${end - bytes.length} bytes are missing`);
      return decode(view, from, end, format);
    }
    at = from + size + (size % 2);
  }
  throw new WavError(format ? "it holds no sound" : "it has no format");
}

function readFormat(view: DataView, from: number, size: number): Format {
  if (size < 16 || from + size > view.byteLength) throw new WavError("the format is cut short");
  const tag = view.getUint16(from, true);
  const extensible = tag === 0xfffe && size >= 26;
  const format = {
    code: extensible ? view.getUint16(from + 24, true) : tag,
    channels: view.getUint16(from + 2, true),
    sampleRate: view.getUint32(from + 4, true),
    bits: view.getUint16(from + 14, true),
  };
  const { code, channels, sampleRate, bits } = format;
  const known = (code === 1 && [8, 16, 24, 32].includes(bits)) || (code === 3 && [32, 64].includes(bits));
  if (!known) throw new WavError(`format ${code} with ${bits} bits; PCM (8 to 32 bits) or float is needed`);
  if (channels < 1 || channels > MAX_CHANNELS)
    throw new WavError(`${channels} channels; 1 to ${MAX_CHANNELS} are allowed`);
  if (sampleRate < 4000 || sampleRate > 192_000)
    throw new WavError(`${sampleRate} Hz; 4000 to 192000 are allowed`);
  return format;
}

function decode(view: DataView, from: number, end: number, format: Format): WavSound {
  const { channels, sampleRate, bits } = format;
  const width = bits / 8;
  const frames = Math.floor((end - from) / (width * channels));
  if (frames === 0) throw new WavError("it holds no sound");
  if (frames > MAX_SECONDS * sampleRate) throw new WavError(`longer than ${MAX_SECONDS} seconds`);
  const read = sampleReader(view, format);
  const samples = new Float32Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read(from + (i * channels + c) * width);
    const value = sum / channels;
    if (!Number.isFinite(value)) throw new WavError("it holds samples that are not numbers");
    samples[i] = Math.min(1, Math.max(-1, value));
  }
  return { samples, sampleRate };
}

function sampleReader(view: DataView, { code, bits }: Format): (at: number) => number {
  if (code === 3) return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  switch (bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 128;
    case 16:
      return (at) => view.getInt16(at, true) / 32_768;
    case 24:
      return (at) => ((view.getInt16(at + 1, true) << 8) | view.getUint8(at)) / 8_388_608;
    default:
      return (at) => view.getInt32(at, true) / 2_147_483_648;
  }
}

/** Windowed-sinc resampling; falling rates are low-passed first. */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples;
  const ratio = to / from;
  const cutoff = Math.min(1, ratio) * 0.96;
  const reach = Math.ceil(16 / cutoff);
  const out = new Float32Array(Math.max(1, Math.round(samples.length * ratio)));
  for (let i = 0; i < out.length; i++) {
    const centre = i / ratio;
    const first = Math.ceil(centre - reach);
    let sum = 0;
    for (let j = first; j <= centre + reach; j++) {
      const x = j - centre;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * cutoff) / (Math.PI * x * cutoff);
      sum += (samples[j] ?? 0) * sinc * cutoff * (0.5 + 0.5 * Math.cos((Math.PI * x) / (reach + 1)));
    }
    out[i] = sum;
  }
  return out;
}

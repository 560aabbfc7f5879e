/** Mono sound, samples in [-1, 1]. */
export interface Sound {
  samples: Float32Array;
  sampleRate: number;
}

export const soundSeconds = (sound: Sound): number => sound.samples.length / sound.sampleRate;

/** RIFF WAVE, 16-bit PCM, mono. Samples beyond full scale are clipped. */
export function toWav({ samples, sampleRate }: Sound): Uint8Array {
  const bytes = samples.length * 2;
  const out = new DataView(new ArrayBuffer(44 + bytes));
  const ascii = (offset: number, text: string) => {
    for (let i = 0; i < text.length; i++) out.setUint8(offset + i, text.charCodeAt(i));
  };
  ascii(0, "RIFF");
  out.setUint32(4, 36 + bytes, true);
  ascii(8, "WAVEfmt ");
  out.setUint32(16, 16, true);
  out.setUint16(20, 1, true);
  out.setUint16(22, 1, true);
  out.setUint32(24, sampleRate, true);
  out.setUint32(28, sampleRate * 2, true);
  out.setUint16(32, 2, true);
  out.setUint16(34, 16, true);
  ascii(36, "data");
  out.setUint32(40, bytes, true);
  samples.forEach((sample, i) => {
    out.setInt16(44 + i * 2, Math.round(Math.min(1, Math.max(-1, sample)) * 32767), true);
  });
  return new Uint8Array(out.buffer);
}

/** The sound of a file that `toWav` has written. @throws Error for any other */
export function fromWav(bytes: Uint8Array): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isOurs =
    bytes.length >= 44 &&
    view.getUint32(36) === 0x64617461 && // "data"
    view.getUint16(20, true) === 1 &&
    view.getUint16(22, true) === 1 &&
    view.getUint16(34, true) === 16 &&
    view.getUint32(40, true) <= bytes.length - 44;
  if (!isOurs) throw new Error("not a mono WAV of 16 bits as nodes write it");
  const samples = new Float32Array(view.getUint32(40, true) / 2);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(44 + 2 * i, true) / 32767;
  return { samples, sampleRate: view.getUint32(24, true) };
}

/** Cut or followed by silence so that it lasts `seconds`. */
export function fitSound({ samples, sampleRate }: Sound, seconds: number): Sound {
  const length = Math.round(seconds * sampleRate);
  if (samples.length >= length) return { samples: samples.subarray(0, length), sampleRate };
  const padded = new Float32Array(length);
  padded.set(samples);
  return { samples: padded, sampleRate };
}

import { decodeContext, decodedLength } from "../../graphs/dac-config.ts";
import { float32, floatOutput, int64 } from "../../onnx/session.ts";
import type { Codes } from "./delay-pattern.ts";
import type { DacModel } from "./model.ts";

/**
 * Codes to sound. Long ones are decoded in pieces with as much context as their samples can depend on, which
 * gives the same samples as one decode.
 * @param codes by codebook, then frame
 * @throws the signal's reason when it is aborted between two pieces
 */
export async function decodeCodes(
  dac: DacModel,
  codes: readonly (readonly number[])[],
  signal?: AbortSignal,
): Promise<Float32Array> {
  const frames = codes[0]?.length ?? 0;
  if (frames === 0) return new Float32Array(0);
  const { config } = dac;
  const whole = decodedLength(config, frames) !== frames * config.hop;
  const context = decodeContext(config);
  const piece = whole ? frames : dac.pieceFrames;
  const samples = new Float32Array(whole ? decodedLength(config, frames) : frames * config.hop);
  for (let from = 0; from < frames; from += piece) {
    signal?.throwIfAborted();
    const to = Math.min(frames, from + piece);
    const [first, last] = [Math.max(0, from - context), Math.min(frames, to + context)];
    const part = codes.flatMap((row) => row.slice(first, last));
    const feed = int64(part, [config.codebooks, last - first]);
    const decoded = floatOutput(await dac.decoder.run({ audio_codes: feed }), "audio_values");
    const skip = (from - first) * config.hop;
    samples.set(whole ? decoded : decoded.subarray(skip, skip + (to - from) * config.hop), from * config.hop);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return samples;
}

/** Sound at the codec's rate to codes by frame, padded with silence to whole frames. */
export async function encodeSamples(dac: DacModel, samples: Float32Array): Promise<Codes> {
  const { config } = dac;
  const frames = Math.ceil(samples.length / config.hop);
  const padded = new Float32Array(frames * config.hop);
  padded.set(samples);
  const encoder = await dac.encoder();
  const { audio_codes: codes } = await encoder.run({ audio_values: float32(padded, [padded.length]) });
  const flat = Array.from(codes?.data ?? [], Number);
  const made = flat.length / config.codebooks;
  return Array.from({ length: made }, (_, t) =>
    Array.from({ length: config.codebooks }, (_, c) => flat[c * made + t] ?? 0),
  );
}

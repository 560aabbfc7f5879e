import { breathe } from "../../breathe.ts";
import { decodeContext, decodedLength, encodeContext } from "../../graphs/dac-config.ts";
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
  if (!canDecodeParts(dac)) return await runDecoder(dac, codes);
  return await decodeFrames(dac, codes, { from: 0, to: frames }, signal);
}

/** Whether a part of the frames has samples of its own: odd strides lose some at each level. */
export function canDecodeParts({ config }: DacModel): boolean {
  return decodedLength(config, 64) === 64 * config.hop;
}

/**
 * Samples of the frames `[from, to)`, the same as those of a whole decode where all frames up to
 * `to + decodeContext(config)` are there, or no more follow.
 * @throws the signal's reason when it is aborted between two pieces
 */
export async function decodeFrames(
  dac: DacModel,
  codes: readonly (readonly number[])[],
  { from, to }: { readonly from: number; readonly to: number },
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { config, pieceFrames } = dac;
  const context = decodeContext(config);
  const frames = codes[0]?.length ?? 0;
  const samples = new Float32Array((to - from) * config.hop);
  for (let start = from; start < to; start += pieceFrames) {
    signal?.throwIfAborted();
    const end = Math.min(to, start + pieceFrames);
    const [first, last] = [Math.max(0, start - context), Math.min(frames, end + context)];
    const decoded = await runDecoder(
      dac,
      codes.map((row) => row.slice(first, last)),
    );
    const skip = (start - first) * config.hop;
    samples.set(decoded.subarray(skip, skip + (end - start) * config.hop), (start - from) * config.hop);
    await breathe();
  }
  return samples;
}

async function runDecoder(dac: DacModel, codes: readonly (readonly number[])[]): Promise<Float32Array> {
  const frames = codes[0]?.length ?? 0;
  if (frames === 0) return new Float32Array(0);
  const feed = int64(codes.flat(), [dac.config.codebooks, frames]);
  return floatOutput(await dac.decoder.run({ audio_codes: feed }), "audio_values");
}

/** Sound at the codec's rate to codes by frame, padded with silence to whole frames; long sound in pieces, as decoding. */
export async function encodeSamples(dac: DacModel, samples: Float32Array): Promise<Codes> {
  const { config, encodedFrames } = dac;
  const { hop } = config;
  const frames = Math.ceil(samples.length / hop);
  const padded = new Float32Array(frames * hop);
  padded.set(samples);
  if (!canDecodeParts(dac) || frames <= encodedFrames) return await runEncoder(dac, padded);
  const context = encodeContext(config);
  const codes: (readonly number[])[] = [];
  for (let from = 0; from < frames; from += encodedFrames) {
    const to = Math.min(frames, from + encodedFrames);
    const [first, last] = [Math.max(0, from - context), Math.min(frames, to + context)];
    const part = await runEncoder(dac, padded.slice(first * hop, last * hop));
    codes.push(...part.slice(from - first, to - first));
    await breathe();
  }
  return codes;
}

async function runEncoder(dac: DacModel, samples: Float32Array): Promise<Codes> {
  const { codebooks } = dac.config;
  const encoder = await dac.encoder();
  const { audio_codes: codes } = await encoder.run({ audio_values: float32(samples, [samples.length]) });
  const flat = Array.from(codes?.data ?? [], Number);
  const made = flat.length / codebooks;
  return Array.from({ length: made }, (_, t) =>
    Array.from({ length: codebooks }, (_, c) => flat[c * made + t] ?? 0),
  );
}

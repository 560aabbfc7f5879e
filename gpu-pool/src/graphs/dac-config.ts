import { z } from "zod";

const count = z.int().positive();

/** `config.json` of transformers' `DacModel`, with its defaults (5.17, `models/dac/configuration_dac.py`). */
export const DacConfig = z
  .object({
    model_type: z.literal("dac"),
    encoder_hidden_size: count.default(64),
    downsampling_ratios: z.array(count).min(1).default([2, 4, 8, 8]),
    decoder_hidden_size: count.default(1536),
    n_codebooks: count.default(9),
    codebook_size: count.default(1024),
    codebook_dim: count.default(8),
    sampling_rate: count.default(16_000),
  })
  .transform((config) => ({
    encoderChannels: config.encoder_hidden_size,
    decoderChannels: config.decoder_hidden_size,
    latentChannels: config.encoder_hidden_size * 2 ** config.downsampling_ratios.length,
    strides: config.downsampling_ratios,
    codebooks: config.n_codebooks,
    codebookSize: config.codebook_size,
    sampleRate: config.sampling_rate,
    /** Samples per frame of codes. */
    hop: config.downsampling_ratios.reduce((a, b) => a * b, 1),
  }))
  .refine(
    ({ decoderChannels, strides }) => decoderChannels % 2 ** strides.length === 0,
    "decoder_hidden_size must halve evenly at every stride",
  );
export type DacConfig = z.output<typeof DacConfig>;

/** Samples that a decode of `frames` gives; odd strides lose one sample at their level. */
export function decodedLength(config: DacConfig, frames: number): number {
  return [...config.strides]
    .reverse()
    .reduce((length, stride) => (length - 1) * stride - 2 * Math.ceil(stride / 2) + 2 * stride, frames);
}

/**
 * Frames on either side whose codes can still change a sample of the decode: convolutions of 7 taps at the
 * bottom, at each level one transposed convolution and three residual units with dilations 1, 3 and 9.
 */
export function decodeContext(config: DacConfig): number {
  let reach = 3;
  for (const stride of [...config.strides]) reach = (reach + 3 * (1 + 3 + 9)) / stride + 1;
  return Math.ceil(reach + 3);
}

/** Frames on either side whose samples can still change a code of the encoder, which has the decoder's convolutions. */
export function encodeContext({ strides, hop }: DacConfig): number {
  let reach = 3;
  let scale = 1;
  for (const stride of strides) {
    reach += (3 * (1 + 3 + 9) + 2 * stride) * scale;
    scale *= stride;
  }
  return Math.ceil((reach + scale) / hop);
}

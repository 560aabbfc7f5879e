import { z } from "zod";

const count = z.int().positive();

const Rope = z
  .object({ rope_theta: z.number().positive().default(10_000), rope_type: z.string().default("default") })
  .nullish()
  .transform((rope) => rope ?? { rope_theta: 10_000, rope_type: "default" })
  .refine((rope) => rope.rope_type === "default", "only the default rotary embedding is supported");

const activation = z.enum(["silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"]);

const Encoder = z.object({
  max_position_embeddings: count.default(1024),
  num_hidden_layers: count.default(12),
  hidden_size: count.default(1024),
  num_attention_heads: count.default(16),
  num_key_value_heads: count.default(16),
  head_dim: count.default(128),
  intermediate_size: count.default(4096),
  norm_eps: z.number().default(1e-5),
  vocab_size: count.default(256),
  hidden_act: activation.default("silu"),
  rope_parameters: Rope,
});

const Decoder = z.object({
  max_position_embeddings: count.default(3072),
  num_hidden_layers: count.default(18),
  hidden_size: count.default(2048),
  intermediate_size: count.default(8192),
  num_attention_heads: count.default(16),
  num_key_value_heads: count.default(4),
  head_dim: count.default(128),
  cross_num_attention_heads: count.default(16),
  cross_head_dim: count.default(128),
  cross_num_key_value_heads: count.default(16),
  cross_hidden_size: count.default(1024),
  norm_eps: z.number().default(1e-5),
  vocab_size: count.default(1028),
  hidden_act: activation.default("silu"),
  num_channels: count.default(9),
  rope_parameters: Rope,
  pad_token_id: z.int().nullish(),
  eos_token_id: z.int().nullish(),
  bos_token_id: z.int().nullish(),
});

/**
 * `config.json` of transformers' `DiaForConditionalGeneration`, with its defaults (5.17,
 * `models/dia/configuration_dia.py`). Token ids may stand on the outside or in the decoder's part.
 */
export const DiaConfig = z
  .object({
    model_type: z.literal("dia"),
    encoder_config: Encoder.prefault({}),
    decoder_config: Decoder.prefault({}),
    delay_pattern: z.array(z.int().min(0)).default([0, 8, 9, 10, 11, 12, 13, 14, 15]),
    pad_token_id: z.int().nullish(),
    eos_token_id: z.int().nullish(),
    bos_token_id: z.int().nullish(),
  })
  .transform((config) => ({
    encoder: config.encoder_config,
    decoder: config.decoder_config,
    delays: config.delay_pattern,
    maxDelay: Math.max(...config.delay_pattern),
    tokens: {
      eos: config.eos_token_id ?? config.decoder_config.eos_token_id ?? 1024,
      pad: config.pad_token_id ?? config.decoder_config.pad_token_id ?? 1025,
      bos: config.bos_token_id ?? config.decoder_config.bos_token_id ?? 1026,
    },
  }))
  .superRefine((config, context) => {
    const { encoder, decoder, delays, tokens } = config;
    const demand = (holds: boolean, message: string) => {
      if (!holds) context.addIssue({ code: "custom", message });
    };
    demand(delays.length === decoder.num_channels, "delay_pattern must have one entry per channel");
    demand(encoder.hidden_size === decoder.cross_hidden_size, "cross_hidden_size must be the encoder's size");
    demand(
      encoder.num_attention_heads % encoder.num_key_value_heads === 0,
      "encoder heads must divide by its key/value heads",
    );
    demand(
      decoder.num_attention_heads % decoder.num_key_value_heads === 0,
      "decoder heads must divide by its key/value heads",
    );
    demand(
      decoder.cross_num_attention_heads % decoder.cross_num_key_value_heads === 0,
      "cross-attention heads must divide by their key/value heads",
    );
    demand(encoder.head_dim % 2 === 0 && decoder.head_dim % 2 === 0, "head_dim must be even");
    demand(
      Object.values(tokens).every((id) => id < decoder.vocab_size),
      "a token id is outside the vocabulary",
    );
  });
export type DiaConfig = z.output<typeof DiaConfig>;

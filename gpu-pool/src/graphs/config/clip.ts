import { z } from "zod";

/** CLIPTextConfig of transformers: the fields the graph depends on. */
export const clipTextConfig = z.object({
  architectures: z.array(z.string()).optional(),
  vocab_size: z.int().positive(),
  hidden_size: z.int().positive(),
  intermediate_size: z.int().positive(),
  projection_dim: z.int().positive().nullish(),
  num_hidden_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  max_position_embeddings: z.int().positive().default(77),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
  eos_token_id: z.union([z.int(), z.array(z.int()).min(1)]).nullish(),
});

export type ClipTextConfig = z.infer<typeof clipTextConfig>;

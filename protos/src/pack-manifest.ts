import { z } from "zod";

const Suggestion = z.object({ prompt: z.string(), dialogue: z.string() });
const file = z.string().regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/, "a path inside the pack");

export const CharacterManifest = z.object({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/),
  label: z.string(),
  lora: file.optional(),
  adapter: z.string().optional(),
  weight: z.number().default(1),
  pair_weight: z.number().default(0.5),
  triggers: z.array(z.string()).default([]),
  speaker: z.string(),
  voice: z.object({ seed: z.int().optional(), audio: file.optional(), transcript: z.string().optional() }),
  suggestions: z.array(Suggestion).default([]),
});

export const PictureManifest = z.object({
  family: z.enum(["sdxl", "sd15"]),
  native: z.object({ width: z.int(), height: z.int() }),
  sizes: z.array(z.tuple([z.int(), z.int()])),
  multiple_of: z.int(),
  frames: z.object({ min: z.int(), max: z.int(), default: z.int(), window: z.int(), overlap: z.int() }),
  fps: z.object({ default: z.number() }),
  steps: z.object({ default: z.int(), max: z.int() }),
  guidance_scale: z.object({ default: z.number() }),
  scheduler_preset: z.string(),
  max_tokens: z.int().default(77),
  /** Phrases of prompts that the model takes amiss where no place follows them, and its own words for them. */
  phrases: z.record(z.string().regex(/^[\w ]+$/), z.string()).optional(),
});

export const VoiceManifest = z.object({
  sample_rate: z.int(),
  max_tokens: z.int(),
  guidance_scale: z.object({ default: z.number() }),
  temperature: z.object({ default: z.number() }),
  top_p: z.object({ default: z.number() }),
  top_k: z.object({ default: z.int() }),
  chunk_seconds: z.object({ min: z.number(), max: z.number() }),
  /** Most lines that the model speaks well in one go; without it, as many as fit. */
  lines_per_chunk: z.int().positive().optional(),
  /** Decoder cross-attention head whose weights follow the text: timing of the lines. */
  alignment_head: z.object({ layer: z.int().min(0), head: z.int().min(0) }).optional(),
  characters_per_second: z.number().positive().default(14),
  /** Median pitch in hertz of the model's voices, where it tells them apart: a line in another's voice is spoken again. */
  pitch: z.object({ S1: z.number().positive(), S2: z.number().positive() }).optional(),
  /** How text becomes bytes. Absent: as written, the way Dia-1.6B reads it. */
  text: z
    .object({
      normaliser: z.enum(["plain", "none"]).default("none"),
      numbered_spaces: z.object({ base: z.int(), count: z.int().positive() }).optional(),
    })
    .optional(),
  /** Which character each of the model's two voices belongs to. */
  speakers: z.record(z.string(), z.string()).default({}),
});

/** `pack.json`: what a model pack holds, its limits, defaults and characters. */
export const PackManifest = z.object({
  format: z.literal(1),
  name: z.string(),
  version: z.string(),
  license: z.string().optional(),
  description: z.string().optional(),
  components: z.record(z.string(), file),
  picture: PictureManifest.optional(),
  voice: VoiceManifest.optional(),
  characters: z.array(CharacterManifest),
  pair_suggestions: z.array(Suggestion).default([]),
  files: z.record(file, z.object({ sha256: z.string().length(64), bytes: z.int() })).default({}),
});
export type PackManifest = z.infer<typeof PackManifest>;
export type CharacterManifest = z.infer<typeof CharacterManifest>;

import { ClipSpec, MAX_SEED, RegisteredCharacter } from "@cartoon/protos";
import { z } from "@hono/zod-openapi";

const { label, transcript, weight, name } = RegisteredCharacter.shape;
const trigger = label;
const url = z.url({ protocol: /^https?$/ }).max(2048);

export const Suggestion = z.strictObject({
  prompt: ClipSpec.shape.prompt,
  dialogue: z.string().max(8000),
});

/** What a user says of a character, beside its files. */
export const CharacterFields = z.strictObject({
  name: name
    .refine((given) => !/^(both|multi|s\d{1,3})$/.test(given), "both, multi, s1, s2 … mean something else")
    .describe("Lower-case letters, digits, - and _"),
  label: label.optional().describe("As people read it; the name where absent"),
  triggers: z
    .array(trigger)
    .max(8)
    .optional()
    .describe("Words of a prompt that stand for it; the name where absent"),
  speaker: z.enum(["S1", "S2"]).optional().describe("The voice of the model that it prefers"),
  weight: weight.optional().describe("LoRA weight alone; beside others half of it"),
  suggestions: z.array(Suggestion).max(8).optional(),
  lora_url: url.optional().describe("A LoRA in safetensors; it is fetched once and kept"),
  voice_url: url.optional().describe("A clip of the voice; it is fetched once and kept"),
  transcript: transcript.optional().describe("What is said in the clip, word for word"),
  voice_seed: z.int().min(0).max(MAX_SEED).optional().describe("Pins the voice where there is no clip"),
});
export type CharacterFields = z.infer<typeof CharacterFields>;

const FileView = z.object({ sha256: z.string(), bytes: z.int() });

/** A registered character as the API shows it. */
export const CharacterView = z
  .object({
    name: z.string(),
    label: z.string(),
    triggers: z.array(z.string()),
    speaker: z.enum(["S1", "S2"]),
    weight: z.number(),
    pair_weight: z.number(),
    suggestions: z.array(z.object({ prompt: z.string(), dialogue: z.string() })),
    registered: z.literal(true),
    lora: FileView.extend({
      format: z.enum(["kohya", "peft", "diffusers"]),
      tensors: z.int(),
      rank: z.int(),
      layers: z.record(z.string(), z.int()),
      convolutions: z.boolean(),
    }).nullable(),
    voice: z.object({
      clip: FileView.extend({ format: z.string(), seconds: z.number().nullable() }).nullable(),
      transcript: z.string(),
      seed: z.int().nullable(),
    }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("RegisteredCharacter");
export type CharacterView = z.infer<typeof CharacterView>;

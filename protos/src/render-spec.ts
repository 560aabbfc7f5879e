import { z } from "zod";
import { StartImage } from "./start-image.ts";

/** Largest seed that survives JSON and a double. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

export const SCHEDULER_PRESETS = [
  "toon",
  "sdxl-official",
  "sdxl-diffusers",
  "sd15",
  "euler",
  "ddim",
  "dpmpp-2m",
  "dpmpp-2m-karras",
  "lcm",
] as const;
export const FIT_POLICIES = ["pingpong", "loop", "hold", "trim", "pad", "extend"] as const;
export const OUTPUT_FORMATS = ["mp4", "gif", "wav", "poster"] as const;
export const CONTEXT_SCHEDULES = ["static", "uniform"] as const;
export const BLENDS = ["equal", "regional"] as const;
export const TRANSITIONS = ["cut", "crossfade"] as const;
export const QUALITIES = ["full", "fast"] as const;

const seed = z.int().min(0).max(MAX_SEED);
const name = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9][a-z0-9_-]*$/, "lower-case letters, digits, - and _ only");

// Control characters have no place in a prompt; line breaks and tabs do.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the check
const printable = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$/u;
const text = (max: number) => z.string().max(max).regex(printable, "control characters are not allowed");

export const CharacterWeight = z.strictObject({ name, weight: z.number().min(0).max(2) });

/** SHA-256 in hex; empty where there is no file. */
const digest = z.union([z.string().regex(/^[0-9a-f]{64}$/, "SHA-256 in lower-case hex"), z.literal("")]);

export const LoraSource = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2048),
  weight: z.number().min(0).max(2),
  sha256: digest.optional(),
});

/** A character beside those of the pack, as it was when the render was submitted. */
export const RegisteredCharacter = z.strictObject({
  name,
  label: text(64).min(1),
  triggers: z.array(text(64).min(1)).max(8),
  speaker: z.enum(["S1", "S2"]),
  lora_sha256: digest,
  voice_sha256: digest,
  transcript: text(1000),
  voice_seed: seed.optional(),
  weight: z.number().min(0).max(2),
});

export const PromptAt = z.strictObject({ frame: z.int().min(0).max(1023), prompt: text(2000) });

export const ContextSpec = z.strictObject({
  window: z.int().min(0).max(64),
  overlap: z.int().min(0).max(32),
  schedule: z.enum(CONTEXT_SCHEDULES),
});

export const ClipSpec = z.strictObject({
  prompt: text(2000).min(1),
  negative_prompt: text(2000).optional(),
  characters: z.array(CharacterWeight).max(8),
  width: z.int().min(64).max(2048),
  height: z.int().min(64).max(2048),
  num_frames: z.int().min(1).max(1024),
  fps: z.number().min(1).max(60),
  num_inference_steps: z.int().min(1).max(200),
  guidance_scale: z.number().min(0).max(30),
  guidance_rescale: z.number().min(0).max(1),
  scheduler: z.union([z.enum(SCHEDULER_PRESETS), z.literal("")]),
  context: ContextSpec.nullish(),
  seed,
  prompt_travel: z.array(PromptAt).max(64),
  clip_skip: z.int().min(0).max(4),
  loop: z.boolean(),
  blend: z.enum(BLENDS),
  speaker_focus: z.number().min(0).max(1),
  quality: z.enum(QUALITIES),
  loras: z.array(LoraSource).max(8).optional(),
  start_image: StartImage.nullish(),
  free_init: z.int().min(0).max(5).optional(),
  free_noise: z.boolean().optional(),
});

export const SpeechLine = z.strictObject({ speaker: z.string().min(1).max(64), text: text(4000).min(1) });

export const VoicePrompt = z.strictObject({
  character: name,
  audio_url: z.url().max(2048),
  transcript: text(1000).min(1),
});

export const SpeechSpec = z.strictObject({
  lines: z.array(SpeechLine).min(1).max(256),
  max_new_tokens: z.int().min(16).max(8192),
  guidance_scale: z.number().min(0).max(20),
  temperature: z.number().min(0).max(3),
  top_p: z.number().min(0.01).max(1),
  top_k: z.int().min(1).max(1024),
  seed,
  voices: z.array(VoicePrompt).max(8),
});

export const OutputSpec = z.strictObject({
  formats: z.array(z.enum(OUTPUT_FORMATS)).min(1),
  fit: z.enum(FIT_POLICIES),
  captions: z.boolean(),
});

export const MAX_SHOTS = 32;
/** Seconds of the longest cross-fade. */
export const MAX_CROSSFADE = 5;

export const Transition = z.strictObject({
  type: z.enum(TRANSITIONS),
  seconds: z.number().min(0).max(MAX_CROSSFADE),
});

/** The shots of a storyboard, one after the other, as one clip; transitions are one fewer than shots. */
export const JoinSpec = z
  .strictObject({
    shots: z
      .array(z.strictObject({ job_id: z.string().min(1).max(128) }))
      .min(1)
      .max(MAX_SHOTS),
    transitions: z.array(Transition).max(MAX_SHOTS - 1),
    width: ClipSpec.shape.width,
    height: ClipSpec.shape.height,
    fps: ClipSpec.shape.fps,
    title: text(200),
    spoken: z.boolean(),
  })
  .refine(({ shots, transitions }) => transitions.length === shots.length - 1, {
    message: "one transition for each cut",
    path: ["transitions"],
  });

/**
 * The canonical description of a render, field for field the message `cartoon.v1.RenderSpec`.
 * At least one of `clip` and `speech` is there, or `join` alone.
 */
export const RenderSpec = z
  .strictObject({
    pack: z.union([name, z.literal("")]),
    clip: ClipSpec.nullish(),
    speech: SpeechSpec.nullish(),
    output: OutputSpec,
    deterministic: z.boolean(),
    registered: z.array(RegisteredCharacter).max(64).optional(),
    join: JoinSpec.nullish(),
  })
  .refine((spec) => spec.clip != null || spec.speech != null || spec.join != null, {
    message: "give a clip, a speech or both",
    path: ["clip"],
  })
  .refine((spec) => spec.join == null || (spec.clip == null && spec.speech == null), {
    message: "joins what is there; it neither draws nor speaks",
    path: ["join"],
  });

export type RenderSpec = z.infer<typeof RenderSpec>;
export type ClipSpec = z.infer<typeof ClipSpec>;
export type SpeechSpec = z.infer<typeof SpeechSpec>;
export type JoinSpec = z.infer<typeof JoinSpec>;
export type Transition = z.infer<typeof Transition>;
export type OutputSpec = z.infer<typeof OutputSpec>;
export type RegisteredCharacter = z.infer<typeof RegisteredCharacter>;
export type LoraSource = z.infer<typeof LoraSource>;

/** A value that was changed on the way in, or a limit that was met while rendering. */
export const Warning = z.object({
  field: z.string(),
  given: z.string(),
  used: z.string(),
  rule: z.string(),
});
export type Warning = z.infer<typeof Warning>;

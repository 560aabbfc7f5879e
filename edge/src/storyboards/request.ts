import { MAX_CROSSFADE, MAX_SHOTS, OutputSpec, TRANSITIONS } from "@cartoon/protos";
import { z } from "@hono/zod-openapi";
import { ClipOptions, OutputOptions, RenderRequest, SpeechOptions } from "../renders/request.ts";

/** Length of a cross-fade that names none. */
const CROSSFADE_SECONDS = 0.5;

export const TransitionRequest = z
  .union([
    z.enum(TRANSITIONS),
    z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("cut") }),
      z.strictObject({
        type: z.literal("crossfade"),
        seconds: z.number().min(0.04).max(MAX_CROSSFADE).default(CROSSFADE_SECONDS),
      }),
    ]),
  ])
  .describe('"cut", "crossfade" (half a second), or {"type": "crossfade", "seconds": 1}');

const ofRender = RenderRequest.shape;
// What is said once for a shot has one place each: not a second one inside `clip` or `speech`.
const clip = ClipOptions.omit({ prompt: true, negative_prompt: true, characters: true, seed: true });
const speech = SpeechOptions.omit({ lines: true, seed: true });

export const ShotRequest = z.strictObject({
  prompt: ofRender.prompt.unwrap(),
  negative_prompt: ofRender.negative_prompt,
  characters: ofRender.characters,
  dialogue: ofRender.dialogue,
  seed: ofRender.seed,
  clip: clip.optional(),
  speech: speech.optional(),
  fit: OutputSpec.shape.fit.optional(),
  transition: TransitionRequest.optional().describe("How it goes over into the next shot"),
});

/** A storyboard as people write it: shots, and what they have in common. */
export const StoryboardRequest = z.strictObject({
  title: z.string().max(200).optional(),
  shots: z.array(ShotRequest).min(1).max(MAX_SHOTS),
  transition: TransitionRequest.optional().describe("Of every cut that names none; a cut where absent"),
  style: z.string().min(1).max(1000).optional().describe("Added to the prompt of every shot"),
  negative_prompt: ofRender.negative_prompt,
  characters: ofRender.characters,
  loras: ofRender.loras,
  clip: clip.optional().describe("Of every shot; its size and fps are those of the joined clip too"),
  speech: speech.optional(),
  output: OutputOptions.optional(),
  seed: ofRender.seed,
  pack: ofRender.pack,
  deterministic: ofRender.deterministic,
  destination: ofRender.destination,
  priority: ofRender.priority,
  webhook: ofRender.webhook,
  metadata: ofRender.metadata,
  queue_ttl_seconds: ofRender.queue_ttl_seconds,
  execution_timeout_seconds: ofRender.execution_timeout_seconds,
  retention_seconds: ofRender.retention_seconds,
});
export type StoryboardRequest = z.infer<typeof StoryboardRequest>;
export type ShotRequest = z.infer<typeof ShotRequest>;
export type TransitionRequest = z.infer<typeof TransitionRequest>;

import type { RenderSpec } from "@cartoon/protos";

/** A token of speech costs about as much as this many pixels of one frame in one step. */
const PIXELS_PER_TOKEN = 4_096;
/** Tokens a second of speech, and letters a second of a fluent speaker. */
const TOKENS_PER_SECOND = 86;
const LETTERS_PER_SECOND = 14;

/** Size of a job in pixels x frames x steps, speech converted to the same unit: what estimates scale by. */
export function workOf(spec: RenderSpec): number {
  const { clip, speech } = spec;
  const picture = clip ? clip.width * clip.height * clip.num_frames * clip.num_inference_steps : 0;
  const letters = speech?.lines.reduce((sum, line) => sum + line.text.length, 0) ?? 0;
  const tokens = Math.min(speech?.max_new_tokens ?? 0, (letters / LETTERS_PER_SECOND) * TOKENS_PER_SECOND);
  return Math.max(1, Math.round(picture + tokens * PIXELS_PER_TOKEN));
}

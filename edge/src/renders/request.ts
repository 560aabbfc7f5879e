import { isIP } from "node:net";
import {
  CharacterWeight,
  ClipSpec,
  isPublicAddress,
  LoraSource,
  OutputSpec,
  RegisteredCharacter,
  RenderSpec,
  SpeechLine,
  SpeechSpec,
} from "@cartoon/protos";
import { z } from "@hono/zod-openapi";
import { ApiError } from "../errors/table.ts";

const prompt = ClipSpec.shape.prompt.describe("What the clip shows");
const negativePrompt = ClipSpec.shape.negative_prompt.describe("What the clip should not show");

export const CharacterChoice = z
  .union([CharacterWeight.shape.name, CharacterWeight])
  .describe("A character's name, or its name and LoRA weight (0 to 2)");
const characters = z.array(CharacterChoice).max(8);

/** Any part of a clip's settings; what is left out comes from the model pack. */
export const ClipOptions = ClipSpec.omit({ characters: true }).extend({ characters }).partial();
export const SpeechOptions = SpeechSpec.partial();
export const OutputOptions = OutputSpec.partial();

export const WebhookRequest = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2048),
  events: z
    .array(z.enum(["queued", "leased", "succeeded", "failed", "canceled", "timed_out"]))
    .max(6)
    .optional(),
  secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, "whsec_ and 24 to 64 bytes in base64")
    .optional(),
});

/** A render as people write it. A canonical `RenderSpec`, such as the one of a manifest, is valid too. */
export const RenderRequest = z.strictObject({
  pack: RenderSpec.shape.pack.optional(),
  prompt: prompt.optional(),
  negative_prompt: negativePrompt,
  characters: characters.optional(),
  dialogue: z
    .union([z.string().min(1).max(65_536), z.array(SpeechLine).min(1).max(256)])
    .optional()
    .describe('A script such as "[S1] Temo: Hello! [S2] Felfel: Hi!", or its lines'),
  loras: z
    .array(LoraSource)
    .max(8)
    .optional()
    .describe("LoRAs to be fetched by URL, on top of the characters' own"),
  registered: z
    .array(RegisteredCharacter)
    .max(64)
    .optional()
    .describe("Registered characters as an earlier render had them; otherwise those that are registered now"),
  join: z.null("storyboards are submitted to /v1/storyboards").optional(),
  clip: ClipOptions.nullish(),
  speech: SpeechOptions.nullish(),
  output: OutputOptions.optional(),
  seed: ClipSpec.shape.seed.optional().describe("For picture and voice; random where absent"),
  deterministic: z.boolean().optional(),
  destination: z
    .string()
    .max(32)
    .optional()
    .describe("A bucket that the operator has configured; results go there instead"),
  priority: z.enum(["low", "normal", "high"]).optional(),
  webhook: WebhookRequest.optional(),
  metadata: z
    .record(z.string().min(1).max(64), z.string().max(512))
    .refine((value) => Object.keys(value).length <= 16, "at most 16 entries")
    .optional(),
  queue_ttl_seconds: z.number().min(10).max(604_800).optional(),
  execution_timeout_seconds: z.number().min(1).max(604_800).optional(),
  retention_seconds: z.number().min(60).max(315_360_000).optional(),
  deadline_seconds: z
    .number()
    .min(1)
    .max(604_800)
    .optional()
    .describe("Refused at once where the estimate says that it can't be met"),
});
export type RenderRequest = z.infer<typeof RenderRequest>;
export type CharacterChoice = z.infer<typeof CharacterChoice>;

/**
 * Refuses at once what a delivery would refuse later. Names are looked at when the delivery is made, since they may
 * mean another address by then.
 * @throws ApiError `validation_failed`
 */
export function checkWebhookUrl(url: string, allowHosts: readonly string[], pointer: string): void {
  const { hostname, port, protocol, username, password } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (allowHosts.includes(`${host}:${port || (protocol === "https:" ? "443" : "80")}`)) return;
  const isPrivate = host === "localhost" || (isIP(host) !== 0 && !isPublicAddress(host));
  const detail = isPrivate
    ? "the address is not on the public internet"
    : username !== "" || password !== ""
      ? "a URL with a user name or password is not allowed"
      : undefined;
  if (detail !== undefined)
    throw new ApiError("validation_failed", `${pointer}: ${detail}`, { errors: [{ detail, pointer }] });
}

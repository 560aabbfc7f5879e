import type { PackManifest } from "@cartoon/protos";
import { z } from "zod";
import type { RenderRequest } from "../../renders/request.ts";
import { splitPrompt } from "../shared/prompt.ts";

const MAX_SECONDS = 60;

/** `POST /v1/videos`: numbers may come as text, since multipart knows nothing else. */
export const VideoRequest = z.object({
  prompt: z.string().min(1).max(2000),
  model: z.string().max(128).optional(),
  seconds: z.coerce.number().min(1).max(MAX_SECONDS).optional(),
  size: z
    .string()
    .regex(/^\d{2,4}x\d{2,4}$/, "WIDTHxHEIGHT")
    .optional(),
  seed: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
});
export type VideoRequest = z.infer<typeof VideoRequest>;

/** The render behind a video request; `seconds` become frames at the pack's rate, `model` names the pack. */
export function renderOf(video: VideoRequest, pack: PackManifest, packs: readonly string[]): RenderRequest {
  const { prompt, dialogue } = splitPrompt(video.prompt);
  const [width, height] = (video.size ?? "").split("x").map(Number);
  const fps = pack.picture?.fps.default ?? 8;
  return {
    pack: video.model !== undefined && packs.includes(video.model) ? video.model : undefined,
    prompt,
    dialogue,
    seed: video.seed,
    clip: {
      ...(width && height ? { width, height } : {}),
      ...(video.seconds === undefined ? {} : { num_frames: Math.round(video.seconds * fps) }),
    },
  };
}

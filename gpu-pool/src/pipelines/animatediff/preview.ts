import { decodeFrames } from "./decode.ts";
import type { LatentShape } from "./latents.ts";
import type { Vae } from "./models.ts";
import type { ClipPreview } from "./types.ts";

/** Frames of a preview: enough to see the motion, few enough to cost little. */
const FRAMES = 4;

/** Decodes a few frames of the model's present guess, evenly spread over the clip. */
export async function makePreview(
  vae: Vae,
  x0: Float32Array,
  shape: LatentShape,
  clip: { fps: number; step: number },
): Promise<ClipPreview> {
  const count = Math.min(FRAMES, shape.frames);
  const frames = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * shape.frames) / count));
  const rgb = await decodeFrames(vae, x0, shape, frames, []);
  return { ...rgb, step: clip.step, fps: (clip.fps * count) / shape.frames };
}

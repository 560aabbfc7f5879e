import { decodeFrames } from "./decode.ts";
import type { LatentShape } from "./latents.ts";
import type { Vae } from "./models.ts";
import type { ClipPreview } from "./types.ts";

/** Frames of a preview: enough to see the motion, few enough to cost little. */
const FRAMES = 4;
/** Latents of this height and width are shown at half the size. */
const LARGE = 96;

/** Decodes a few frames of the model's present guess, evenly spread over the clip; large ones at half their size. */
export async function makePreview(
  vae: Vae,
  x0: Float32Array,
  shape: LatentShape,
  clip: { fps: number; step: number },
): Promise<ClipPreview> {
  const count = Math.min(FRAMES, shape.frames);
  const frames = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * shape.frames) / count));
  const small = shape.height >= LARGE && shape.width >= LARGE ? halved(x0, shape) : { latents: x0, shape };
  const decoded = await decodeFrames(vae, small.latents, small.shape, frames, []);
  return { ...decoded, step: clip.step, fps: (clip.fps * count) / shape.frames };
}

/** Means of four latents each; [channels, frames, height, width]. */
function halved(latents: Float32Array, shape: LatentShape): { latents: Float32Array; shape: LatentShape } {
  const [height, width] = [shape.height >> 1, shape.width >> 1];
  const maps = shape.channels * shape.frames;
  const means = new Float32Array(maps * height * width);
  for (let map = 0, at = 0; map < maps; map++)
    for (let y = 0; y < height; y++) {
      const above = (map * shape.height + 2 * y) * shape.width;
      const below = above + shape.width;
      for (let x = 0; x < 2 * width; x += 2, at++) {
        const upper = (latents[above + x] as number) + (latents[above + x + 1] as number);
        means[at] = (upper + (latents[below + x] as number) + (latents[below + x + 1] as number)) / 4;
      }
    }
  return { latents: means, shape: { ...shape, height, width } };
}

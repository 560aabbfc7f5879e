import { fromRgb } from "./decode.ts";
import { framesAsBatch, type LatentShape, latentCount } from "./latents.ts";
import type { Vae } from "./models.ts";
import type { GenerateOptions } from "./types.ts";

/**
 * The first image's latents on every frame, scaled for the UNet: `[channels, frames, height, width]`.
 * @throws Error when the image has another size than the clip, or the strength is not above 0 and at most 1
 */
export async function imageLatents(
  vae: Vae,
  { image, strength }: NonNullable<GenerateOptions["firstImage"]>,
  shape: LatentShape,
): Promise<Float32Array> {
  const [width, height] = [shape.width * vae.factor, shape.height * vae.factor];
  if (image.width !== width || image.height !== height)
    throw new Error(`firstImage: must be ${width}x${height}, not ${image.width}x${image.height}`);
  if (!(strength > 0 && strength <= 1)) throw new Error("firstImage.strength: must be above 0 and at most 1");
  const latents = await vae.encode(fromRgb(image), height, width);
  const scaled = framesAsBatch(latents, { ...shape, frames: 1 }, [0], vae.scalingFactor);
  const area = shape.height * shape.width;
  const all = new Float32Array(latentCount(shape));
  for (let channel = 0; channel < shape.channels; channel++)
    for (let frame = 0; frame < shape.frames; frame++)
      all.set(scaled.subarray(channel * area, (channel + 1) * area), (channel * shape.frames + frame) * area);
  return all;
}

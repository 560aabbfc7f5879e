import { fromRgb } from "./decode.ts";
import { framesAsBatch, type LatentShape, latentCount } from "./latents.ts";
import type { Vae } from "./models.ts";
import type { GenerateOptions, RgbFrames } from "./types.ts";

/**
 * The first image's latents on every frame, scaled for the UNet: `[channels, frames, height, width]`.
 * An image of another shape is cut to the clip's around its middle.
 * @throws Error when the strength is not above 0 and at most 1
 */
export async function imageLatents(
  vae: Vae,
  { image, strength }: NonNullable<GenerateOptions["firstImage"]>,
  shape: LatentShape,
): Promise<Float32Array> {
  const [width, height] = [shape.width * vae.factor, shape.height * vae.factor];
  if (!(strength > 0 && strength <= 1)) throw new Error("firstImage.strength: must be above 0 and at most 1");
  const latents = await vae.encode(fromRgb(coverWith(image, width, height)), height, width);
  const scaled = framesAsBatch(latents, { ...shape, frames: 1 }, [0], vae.scalingFactor);
  const area = shape.height * shape.width;
  const all = new Float32Array(latentCount(shape));
  for (let channel = 0; channel < shape.channels; channel++)
    for (let frame = 0; frame < shape.frames; frame++)
      all.set(scaled.subarray(channel * area, (channel + 1) * area), (channel * shape.frames + frame) * area);
  return all;
}

/** The middle of an image, scaled to fill width x height: means over what a pixel covers, bilinear where it covers less. */
export function coverWith(image: RgbFrames, width: number, height: number): RgbFrames {
  if (image.width === width && image.height === height) return image;
  const scale = Math.min(image.width / width, image.height / height);
  const columns = taps(width, scale, (image.width - width * scale) / 2, image.width);
  const rows = taps(height, scale, (image.height - height * scale) / 2, image.height);
  const data = new Uint8Array(width * height * 3);
  for (const [y, row] of rows.entries())
    for (const [x, column] of columns.entries())
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (const { at: from, weight } of row)
          for (const { at, weight: share } of column)
            sum += weight * share * (image.data[(from * image.width + at) * 3 + channel] ?? 0);
        data[(y * width + x) * 3 + channel] = Math.round(sum);
      }
  return { data, count: 1, width, height };
}

interface Tap {
  at: number;
  weight: number;
}

/** For each pixel of a side, the source pixels under a triangle as wide as it covers; weights add up to 1. */
function taps(count: number, scale: number, offset: number, limit: number): Tap[][] {
  const reach = Math.max(1, scale);
  return Array.from({ length: count }, (_, i) => {
    const centre = offset + (i + 0.5) * scale - 0.5;
    const found: Tap[] = [];
    for (let at = Math.ceil(centre - reach); at <= Math.floor(centre + reach); at++) {
      const weight = 1 - Math.abs(at - centre) / reach;
      if (weight > 0) found.push({ at: Math.min(limit - 1, Math.max(0, at)), weight });
    }
    const total = found.reduce((sum, { weight }) => sum + weight, 0);
    return found.map(({ at, weight }) => ({ at, weight: weight / total }));
  });
}

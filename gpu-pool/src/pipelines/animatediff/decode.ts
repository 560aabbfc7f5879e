import type { Warning } from "@cartoon/protos";
import { framesAsBatch, type LatentShape } from "./latents.ts";
import type { Vae } from "./models.ts";
import type { RgbFrames } from "./types.ts";

/**
 * Decodes the chosen frames of a clip to 8-bit RGB. A frame that is not finite or has one colour all over is
 * decoded again in float32; one that still is not finite is an error.
 */
export async function decodeFrames(
  vae: Vae,
  latents: Float32Array,
  shape: LatentShape,
  frames: readonly number[],
  warnings: Warning[],
): Promise<RgbFrames> {
  const { height, width } = shape;
  const batch = framesAsBatch(latents, shape, frames, 1 / vae.scalingFactor);
  const { rgb, mean, spread } = await vae.decode(batch, frames.length, height, width);
  const data = rgb;
  const size = data.length / frames.length;
  const latentSize = batch.length / frames.length;
  for (const [i, frame] of frames.entries()) {
    if (Number.isFinite(mean[i]) && spread[i] !== 0) continue;
    const part = batch.subarray(i * latentSize, (i + 1) * latentSize);
    const again = await vae.decodeExact(part, 1, height, width);
    if (!Number.isFinite(again.mean[0]))
      throw new Error(`decode: frame ${frame} is not finite, even in float32`);
    data.set(again.rgb, i * size);
    warnings.push({
      field: "decode",
      given: `frame ${frame}`,
      used: "float32",
      rule: "the frame came out damaged",
    });
  }
  return { data, count: frames.length, height: height * vae.factor, width: width * vae.factor };
}

/** 8-bit RGB of one frame → [1, 3, H, W] from −1 to 1. */
export function fromRgb({ data, height, width }: RgbFrames): Float32Array {
  const area = height * width;
  const pixels = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++)
    for (let i = 0; i < area; i++) pixels[channel * area + i] = (data[i * 3 + channel] as number) / 127.5 - 1;
  return pixels;
}

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
  const pixels = await vae.decode(batch, frames.length, height, width);
  const size = pixels.length / frames.length;
  const latentSize = batch.length / frames.length;
  for (const [i, frame] of frames.entries()) {
    if (isSound(pixels.subarray(i * size, (i + 1) * size))) continue;
    const again = await vae.decodeExact(
      batch.subarray(i * latentSize, (i + 1) * latentSize),
      1,
      height,
      width,
    );
    if (!again.every(Number.isFinite))
      throw new Error(`decode: frame ${frame} is not finite, even in float32`);
    pixels.set(again, i * size);
    warnings.push({
      field: "decode",
      given: `frame ${frame}`,
      used: "float32",
      rule: "the frame came out damaged",
    });
  }
  return toRgb(pixels, frames.length, height * vae.factor, width * vae.factor);
}

function isSound(pixels: Float32Array): boolean {
  const first = pixels[0];
  return pixels.every(Number.isFinite) && pixels.some((value) => value !== first);
}

/** [count, 3, H, W] from −1 to 1 → [count, H, W, 3] from 0 to 255. */
export function toRgb(pixels: Float32Array, count: number, height: number, width: number): RgbFrames {
  const area = height * width;
  const data = new Uint8Array(count * area * 3);
  for (let frame = 0; frame < count; frame++)
    for (let channel = 0; channel < 3; channel++) {
      const from = (frame * 3 + channel) * area;
      const to = frame * area * 3 + channel;
      for (let i = 0; i < area; i++) {
        const unit = (pixels[from + i] as number) / 2 + 0.5;
        data[to + i * 3] = Math.round(Math.min(1, Math.max(0, unit)) * 255);
      }
    }
  return { data, count, height, width };
}

/** 8-bit RGB of one frame → [1, 3, H, W] from −1 to 1. */
export function fromRgb({ data, height, width }: RgbFrames): Float32Array {
  const area = height * width;
  const pixels = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++)
    for (let i = 0; i < area; i++) pixels[channel * area + i] = (data[i * 3 + channel] as number) / 127.5 - 1;
  return pixels;
}

import sharp from "sharp";
import { type Frames, frameAt } from "./frames.ts";

/** PNG of one frame, scaled to the asked size. */
export async function encodePoster(
  frames: Frames,
  index: number,
  width: number,
  height: number,
): Promise<Uint8Array> {
  const raw = { width: frames.width, height: frames.height, channels: 3 as const };
  const image = sharp(frameAt(frames, index), { raw });
  if (width !== frames.width || height !== frames.height) {
    image.resize(width, height, { fit: "fill", kernel: "lanczos3" });
  }
  return image.png({ compressionLevel: 7 }).toBuffer();
}

/** Largest preview that is sent along with an event. */
export const MAX_PREVIEW_BYTES = 200_000;

/** Animated WebP of a whole clip, of at most `MAX_PREVIEW_BYTES`: quality falls until it fits. */
export async function encodePreview(frames: Frames): Promise<Uint8Array> {
  const raw = {
    width: frames.width,
    height: frames.height * frames.count,
    channels: 3 as const,
    pageHeight: frames.height,
  };
  const delay = Array.from({ length: frames.count }, () => Math.round(1000 / frames.fps));
  for (const quality of [70, 45, 20, 5]) {
    const bytes = await sharp(frames.data, { raw, limitInputPixels: false })
      .webp({ quality, delay, loop: 0, effort: 1 })
      .toBuffer();
    if (bytes.length <= MAX_PREVIEW_BYTES) return bytes;
  }
  return encodePreview(everySecond(frames));
}

function everySecond(frames: Frames): Frames {
  const kept = Array.from({ length: Math.ceil(frames.count / 2) }, (_, i) => frameAt(frames, i * 2));
  return { ...frames, data: Buffer.concat(kept), count: kept.length, fps: frames.fps / 2 };
}

import sharp from "sharp";

/** Larger pictures than this are no start images. */
const MAX_PIXELS = 40_000_000;
const MAX_SIDE = 2048;
const FORMATS = ["png", "jpeg", "webp"];

/** A picture that is none, or of an unknown kind. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

export interface RgbImage {
  /** `[height, width, 3]`, 8-bit. */
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * The first frame of a PNG, JPEG or WebP as RGB: upright, on white where it is transparent, at most 2048 pixels a side.
 * @throws ImageError in words for the one who sent it
 */
export async function decodeImage(bytes: Uint8Array): Promise<RgbImage> {
  try {
    const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error" });
    const { format } = await image.metadata();
    if (!FORMATS.includes(format)) throw new ImageError(`is ${format}; PNG, JPEG and WebP are taken`);
    const { data, info } = await image
      .rotate()
      .resize(MAX_SIDE, MAX_SIDE, { fit: "inside", withoutEnlargement: true })
      .flatten({ background: "#fff" })
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { data: channels === 1 ? grey(data) : data, width, height };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(
      `is not a picture that can be read (${error instanceof Error ? error.message : error})`,
    );
  }
}

function grey(data: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: data.length * 3 }, (_, i) => data[Math.floor(i / 3)] ?? 0);
}

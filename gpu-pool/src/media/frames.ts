/** Decoded pictures, 8-bit RGB, frame after frame without padding. */
export interface Frames {
  /** count · height · width · 3 bytes. */
  data: Uint8Array;
  count: number;
  width: number;
  height: number;
  /** Frames per second. */
  fps: number;
}

export function frameAt(frames: Frames, index: number): Uint8Array {
  const bytes = frames.width * frames.height * 3;
  return frames.data.subarray(index * bytes, (index + 1) * bytes);
}

/** Throws when the buffer does not hold exactly the frames it claims. */
export function checkFrames(frames: Frames): Frames {
  const expected = frames.count * frames.width * frames.height * 3;
  if (frames.count < 1 || frames.data.length !== expected) {
    throw new Error(
      `frames hold ${frames.data.length} bytes, expected ${expected} for ${frames.count} of ${frames.width}x${frames.height}`,
    );
  }
  return frames;
}

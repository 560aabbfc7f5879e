/** Latents of a clip in float32, `[channels, frames, height, width]` row-major. */
export interface LatentShape {
  channels: number;
  frames: number;
  height: number;
  width: number;
}

export function latentCount({ channels, frames, height, width }: LatentShape): number {
  return channels * frames * height * width;
}

/**
 * Every value times a factor. A loop, as are the others here: `map` takes ten times as long on millions of values.
 * @param out where to; may be `values`
 */
export function scaled(
  values: Float32Array,
  factor: number,
  out: Float32Array = new Float32Array(values.length),
): Float32Array {
  for (let i = 0; i < out.length; i++) out[i] = (values[i] as number) * factor;
  return out;
}

/** Do the indices name every frame once, in order? */
export function isWholeClip({ frames }: LatentShape, indices: readonly number[]): boolean {
  return indices.length === frames && indices.every((frame, i) => frame === i);
}

/** The chosen frames, `[channels, indices.length, height, width]`. @param out where to, if they have a place */
export function gatherFrames(
  latents: Float32Array,
  shape: LatentShape,
  indices: readonly number[],
  out: Float32Array = new Float32Array(latentCount({ ...shape, frames: indices.length })),
): Float32Array {
  const area = shape.height * shape.width;
  for (let channel = 0; channel < shape.channels; channel++)
    for (const [i, frame] of indices.entries()) {
      const from = (channel * shape.frames + frame) * area;
      out.set(latents.subarray(from, from + area), (channel * indices.length + i) * area);
    }
  return out;
}

/** The chosen frames as a batch of pictures, `[indices.length, channels, height, width]`, times `scale`. */
export function framesAsBatch(
  latents: Float32Array,
  shape: LatentShape,
  indices: readonly number[],
  scale: number,
): Float32Array {
  const area = shape.height * shape.width;
  const out = new Float32Array(indices.length * shape.channels * area);
  for (const [i, frame] of indices.entries())
    for (let channel = 0; channel < shape.channels; channel++) {
      const from = (channel * shape.frames + frame) * area;
      const to = (i * shape.channels + channel) * area;
      for (let pixel = 0; pixel < area; pixel++) out[to + pixel] = (latents[from + pixel] as number) * scale;
    }
  return out;
}

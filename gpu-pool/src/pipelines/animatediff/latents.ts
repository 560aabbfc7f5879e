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

/** The chosen frames, `[channels, indices.length, height, width]`. */
export function gatherFrames(
  latents: Float32Array,
  shape: LatentShape,
  indices: readonly number[],
): Float32Array {
  const area = shape.height * shape.width;
  const out = new Float32Array(shape.channels * indices.length * area);
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

/** Adds `weights[i] · part` of each window frame to `sum`, both in latent layout. */
export function accumulate(
  sum: Float32Array,
  shape: LatentShape,
  part: Float32Array,
  indices: readonly number[],
  weights: readonly number[],
): void {
  const area = shape.height * shape.width;
  for (let channel = 0; channel < shape.channels; channel++)
    for (const [i, frame] of indices.entries()) {
      const to = (channel * shape.frames + frame) * area;
      const from = (channel * indices.length + i) * area;
      const weight = weights[i] ?? 0;
      for (let pixel = 0; pixel < area; pixel++)
        sum[to + pixel] = (sum[to + pixel] as number) + weight * (part[from + pixel] as number);
    }
}

/** Divides every frame by its own divisor. */
export function divideFrames(
  latents: Float32Array,
  shape: LatentShape,
  divisors: readonly number[],
): Float32Array {
  const area = shape.height * shape.width;
  return latents.map((value, i) => value / (divisors[Math.floor(i / area) % shape.frames] ?? 1));
}

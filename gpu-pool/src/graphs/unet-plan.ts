import { MAX_CUDA_ELEMENTS } from "./builder/index.ts";
import type { UnetMotionShape } from "./config/unet.ts";
import type { NativePart } from "./target/native-kernels.ts";

export interface ClipSize {
  /** Rows per run: 2 with guidance, 1 where guidance is split over two runs. */
  readonly batch: number;
  readonly frames: number;
  /** Latent sizes. */
  readonly height: number;
  readonly width: number;
}

export interface UnetPlan {
  readonly temporalPacking: number;
  readonly feedForwardChunks: number;
}

/**
 * How to build the CUDA graph for clips of one size: pack as many pixels as one row of temporal attention
 * takes (64 tokens are fastest on an H200), and cut the motion feed-forwards so that no tensor passes the limit.
 * @param chunksForMemory cut at least this often: 4 saves 6 GiB at 1024x1024 for 1 % of the time
 */
export function planUnet(shape: UnetMotionShape, size: ClipSize, chunksForMemory = 1): UnetPlan {
  const levels = shape.down.map(({ channels }, i) => ({
    rows: (size.batch * size.height * size.width) / 4 ** i,
    channels,
  }));
  const divides = (n: number) => levels.every(({ rows }) => rows % n === 0);
  const temporalPacking = [4, 2].find((n) => n * size.frames <= 64 && divides(n)) ?? 1;
  const largest = Math.max(...levels.map(({ rows, channels }) => rows * size.frames * 8 * channels));
  const needed = Math.max(chunksForMemory, Math.ceil(largest / MAX_CUDA_ELEMENTS));
  let feedForwardChunks = needed;
  while (!divides(feedForwardChunks) && feedForwardChunks < 64) feedForwardChunks += 1;
  if (!divides(feedForwardChunks)) {
    const clip = `${size.frames} frames of ${size.width}x${size.height} latents`;
    throw new Error(`${clip} can't be cut into parts that fit the GPU's kernels`);
  }
  return { temporalPacking, feedForwardChunks };
}

/**
 * Parts of the feed-forwards in the small mode: saves 6 GiB at 1024x1024 for 1 % of the time, and nothing where the
 * own operator never holds values and gates.
 */
export function smallModeChunks(native: readonly NativePart[]): number {
  return native.includes("feedForward") ? 1 : 4;
}

/** What is reserved over what is held at a time: for the gaps between tensors of several sizes. */
const ROOM_FOR_GAPS = 1.3;

/**
 * The input `reserve` of a graph that was built with it: numbers of four bytes for the half-precision activations that
 * a pass has at a time, at most, which is where the last up block joins its first skip.
 */
export function numbersToReserve(
  { up, down }: UnetMotionShape,
  { batch, frames, height, width }: ClipSize,
): number {
  const own = down[0]?.channels ?? 0;
  const joined = own + (up.at(-2)?.channels ?? own);
  // What is joined and its norm, and the skips that wait.
  const channels = 2 * joined + 3 * own;
  const bytes = 2 * channels * batch * frames * height * width;
  return Math.ceil((ROOM_FOR_GAPS * bytes) / 4);
}

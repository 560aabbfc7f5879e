/** Further apart than this, two weights look different. */
const VISIBLE = 0.03;

/** LoRA weights of one UNet pass, and its share in every frame of the window. */
export interface Mix {
  /** One weight per adapter. */
  readonly weights: readonly number[];
  /** One share per frame; those of all mixes add up to 1. */
  readonly shares: readonly number[];
}

/**
 * The passes that a window needs when the weights of its frames differ. A pass has one set of weights for all its frames,
 * so the path of the weights through the window is drawn with as few corners as it takes, one pass each, and every
 * frame is blended from the two corners that it lies between.
 * @param frames weights of every frame, one per adapter
 */
export function focusMixes(frames: readonly (readonly number[])[]): Mix[] {
  const corners = [...pathCorners(frames, 0, frames.length - 1), frames.length - 1];
  const mixes = new Map<string, { weights: readonly number[]; shares: number[] }>();
  const add = (weights: readonly number[], frame: number, share: number) => {
    const rounded = weights.map((weight) => Math.round(100 * weight) / 100);
    const key = rounded.join(" ");
    const mix = mixes.get(key) ?? { weights: rounded, shares: new Array<number>(frames.length).fill(0) };
    mixes.set(key, mix);
    mix.shares[frame] = (mix.shares[frame] ?? 0) + share;
  };
  for (const [frame, weights] of frames.entries()) {
    const end = Math.max(
      1,
      corners.findIndex((corner) => corner >= frame),
    );
    const from = frames[corners[end - 1] ?? 0] ?? weights;
    const to = frames[corners[end] ?? 0] ?? weights;
    const share = along(weights, from, to);
    add(from, frame, 1 - share);
    add(to, frame, share);
  }
  return [...mixes.values()].filter(({ shares }) => shares.some((share) => share > 0));
}

/** Where the path bends (Douglas and Peucker), its first frame included and its last one not. */
function pathCorners(frames: readonly (readonly number[])[], first: number, last: number): number[] {
  const from = frames[first] ?? [];
  const to = frames[last] ?? [];
  let furthest = first;
  let most = VISIBLE;
  for (let frame = first + 1; frame < last; frame++) {
    const distance = distanceTo(frames[frame] ?? [], from, to);
    if (distance > most) {
      most = distance;
      furthest = frame;
    }
  }
  if (furthest === first) return [first];
  return [...pathCorners(frames, first, furthest), ...pathCorners(frames, furthest, last)];
}

/** How far a point has gone from one end of a line to the other, 0 to 1. */
function along(point: readonly number[], from: readonly number[], to: readonly number[]): number {
  let dot = 0;
  let length = 0;
  for (const [i, start] of from.entries()) {
    const way = (to[i] ?? 0) - start;
    dot += way * ((point[i] ?? 0) - start);
    length += way * way;
  }
  return length < 1e-12 ? 0 : Math.min(1, Math.max(0, dot / length));
}

function distanceTo(point: readonly number[], from: readonly number[], to: readonly number[]): number {
  const share = along(point, from, to);
  const offsets = point.map((value, i) => value - ((1 - share) * (from[i] ?? 0) + share * (to[i] ?? 0)));
  return Math.hypot(...offsets);
}

/**
 * Adds each pass by its shares.
 * @param outputs of the passes, `[rows, channels, frames, height, width]`
 * @param pixels height times width
 */
export function blendMixes(
  outputs: readonly Float32Array[],
  mixes: readonly Mix[],
  pixels: number,
): Float32Array {
  const [only] = outputs;
  if (only && outputs.length === 1) return only;
  const blended = new Float32Array(only?.length ?? 0);
  for (const [m, output] of outputs.entries()) {
    const shares = mixes[m]?.shares ?? [];
    for (let i = 0; i < blended.length; i++) {
      const share = shares[Math.floor(i / pixels) % shares.length] ?? 0;
      if (share > 0) blended[i] = (blended[i] ?? 0) + share * (output[i] ?? 0);
    }
  }
  return blended;
}

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
 * so the weights of every frame are blended from two passes; which passes is chosen so that few are enough: the corners
 * of the path that the weights take, without those that lie between two others. Two speakers take two passes.
 * @param frames weights of every frame, one per adapter
 */
export function focusMixes(frames: readonly (readonly number[])[]): Mix[] {
  const corners = withoutInner(pathCorners(frames, 0, frames.length - 1, true));
  const mixes = corners.map((weights) => ({
    weights: weights.map((weight) => Math.round(100 * weight) / 100),
    shares: new Array<number>(frames.length).fill(0),
  }));
  for (const [frame, weights] of frames.entries()) {
    const [from, to] = nearestPair(weights, corners);
    const share = along(weights, corners[from] ?? weights, corners[to] ?? weights);
    add(mixes[from]?.shares, frame, 1 - share);
    add(mixes[to]?.shares, frame, share);
  }
  return mixes.filter(({ shares }) => shares.some((share) => share > 0));
}

function add(shares: number[] | undefined, frame: number, share: number): void {
  if (shares) shares[frame] = (shares[frame] ?? 0) + share;
}

/** Leaves out the points that the line between two others goes through, and doubles. */
function withoutInner(points: readonly (readonly number[])[]): (readonly number[])[] {
  const kept = [...points];
  for (let i = kept.length - 1; i >= 0 && kept.length > 1; i--) {
    const [point] = kept.splice(i, 1);
    if (!point) continue;
    const [from, to] = nearestPair(point, kept);
    if (distanceTo(point, kept[from] ?? point, kept[to] ?? point) > VISIBLE) kept.splice(i, 0, point);
  }
  return kept;
}

/** The two points whose connection comes nearest to a point, as indices. */
function nearestPair(point: readonly number[], points: readonly (readonly number[])[]): [number, number] {
  let best: [number, number] = [0, 0];
  let least = Number.POSITIVE_INFINITY;
  for (const [a, from] of points.entries()) {
    for (const [b, to] of points.entries()) {
      const distance = a <= b ? distanceTo(point, from, to) : Number.POSITIVE_INFINITY;
      if (distance < least) [least, best] = [distance, [a, b]];
    }
  }
  return best;
}

/** The points where the path bends (Douglas and Peucker), both of its ends included. */
function pathCorners(
  frames: readonly (readonly number[])[],
  first: number,
  last: number,
  withLast: boolean,
): (readonly number[])[] {
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
  if (furthest === first) return withLast ? [from, to] : [from];
  return [...pathCorners(frames, first, furthest, false), ...pathCorners(frames, furthest, last, withLast)];
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
    for (let start = 0; start < blended.length; start += pixels) {
      const share = shares[(start / pixels) % shares.length] ?? 0;
      if (share <= 0) continue;
      for (let i = start; i < start + pixels; i++)
        blended[i] = (blended[i] as number) + share * (output[i] as number);
    }
  }
  return blended;
}

/** `numpy.round`: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `numpy.linspace` in float64, both ends included. */
export function linspace(start: number, stop: number, count: number): number[] {
  if (count === 1) return [start];
  const step = (stop - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : start + i * step));
}

/** `numpy.arange(start, stop, step)` for a negative or positive float step. */
export function arange(start: number, stop: number, step: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step);
}

/** `numpy.interp(x, arange(values.length), values)`. */
export function interpolateAt(x: number, values: Float32Array): number {
  const last = values.length - 1;
  if (x <= 0) return at(values, 0);
  if (x >= last) return at(values, last);
  const low = Math.floor(x);
  const a = at(values, low);
  return a + (at(values, low + 1) - a) * (x - low);
}

/** Indexing that throws instead of giving `undefined`. */
export function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`index ${index} outside 0..${values.length - 1}`);
  return value;
}

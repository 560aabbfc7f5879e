/**
 * Dimensions of a tensor: a number, or a symbol whose size is known when the graph runs.
 *
 * Symbols multiply and divide: `"B*F"`, `"H/2"`, `"8*H"`. Each has one canonical spelling, so equal sizes
 * compare equal as strings. Division is exact by contract (latents are multiples of the down-sampling).
 */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** A dimension taken apart: `numerator / denominator` times the symbols. */
export interface DimFactors {
  readonly numerator: number;
  readonly denominator: number;
  readonly symbols: readonly string[];
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Takes a dimension apart. */
export function dimFactors(dim: Dim): DimFactors {
  if (typeof dim === "number") return { numerator: dim, denominator: 1, symbols: [] };
  const [top = "", bottom] = dim.split("/");
  let numerator = 1;
  const symbols: string[] = [];
  for (const part of top.split("*")) {
    if (/^\d+$/.test(part)) numerator *= Number(part);
    else symbols.push(part);
  }
  return { numerator, denominator: bottom ? Number(bottom) : 1, symbols };
}

function spell(factors: DimFactors): Dim {
  if (factors.numerator === 0) return 0;
  const common = gcd(factors.numerator, factors.denominator);
  const numerator = factors.numerator / common;
  const denominator = factors.denominator / common;
  if (factors.symbols.length === 0) return numerator / denominator;
  const symbols = [...factors.symbols].sort();
  const top = numerator === 1 ? symbols : [String(numerator), ...symbols];
  return top.join("*") + (denominator === 1 ? "" : `/${denominator}`);
}

/** Product of dimensions. */
export function mulDims(...dims: Dim[]): Dim {
  const parts = dims.map(dimFactors);
  return spell({
    numerator: parts.reduce((n, p) => n * p.numerator, 1),
    denominator: parts.reduce((n, p) => n * p.denominator, 1),
    symbols: parts.flatMap((p) => p.symbols),
  });
}

/** Exact quotient of a dimension and a whole number. @throws when a fixed size is not divisible. */
export function divDim(dim: Dim, divisor: number): Dim {
  if (typeof dim === "number" && dim % divisor !== 0)
    throw new Error(`size ${dim} is not divisible by ${divisor}`);
  const { numerator, denominator, symbols } = dimFactors(dim);
  return spell({ numerator, denominator: denominator * divisor, symbols });
}

/** Shape of an element-wise operation by the ONNX (NumPy) broadcasting rules. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === 1) return y;
    if (y === 1 || x === y) return x;
    if (typeof x === "number" && typeof y === "number") {
      throw new Error(`shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`);
    }
    return typeof x === "number" ? x : y;
  });
}

/** Number of elements of a shape, as a dimension. */
export function elementCount(shape: Shape): Dim {
  return mulDims(1, ...shape);
}

/** A line of `results.jsonl`. */
export type Line = Readonly<Record<string, unknown>>;

/** Cells of a table. */
export type Row = readonly string[];

export const numeric = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** The best of the lines that say all of this. */
export function find(lines: readonly Line[], wanted: Line): Line | undefined {
  const fitting = lines.filter((line) => Object.entries(wanted).every(([key, value]) => line[key] === value));
  const order = (line: Line) => numeric(line.median) ?? numeric(line.stepMs) ?? 0;
  return fitting.toSorted((a, b) => order(a) - order(b))[0];
}

export const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

export const short = (value: number) =>
  value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);

/** "least / median", in milliseconds or whatever the line counts. */
export function times(line: Line | undefined, share = 1): string {
  const [min, median] = [numeric(line?.min), numeric(line?.median)];
  if (median === undefined) return "";
  return `${short((min ?? median) / share)} / ${short(median / share)}`;
}

/** How many times as long the others' medians are. */
export function ratios(ours: Line | undefined, others: readonly (Line | undefined)[]): string {
  const own = numeric(ours?.median);
  return others
    .map((other) => {
      const median = numeric(other?.median);
      return own && median ? `${(median / own).toFixed(2)}x` : "";
    })
    .filter(Boolean)
    .join(", ");
}

export const gigabytes = (mebibytes: unknown): string => {
  const value = numeric(mebibytes);
  return value === undefined ? "" : `${((value * 1024 ** 2) / 1e9).toFixed(1)} GB`;
};

export const exponent = (value: unknown): string => numeric(value)?.toExponential(1) ?? "";

/** Relative L2 from torch in half precision; from float32 beside torch's own, where that was measured. */
export function error(line: Line | undefined, torch?: Line): string {
  const parts = [line?.fromTorchHalf === undefined ? "" : `${exponent(line.fromTorchHalf)} from fp16`];
  if (line?.fromFloat32 !== undefined) parts.push(`${exponent(line.fromFloat32)} from fp32`);
  if (torch?.fromFloat32 !== undefined) parts.push(`torch ${exponent(torch.fromFloat32)}`);
  return parts.filter(Boolean).join(", ");
}

import { loadavg } from "node:os";

/** The value below which a part of the samples lies; 0 for none. */
export function percentile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/** Milliseconds with one digit. */
export const ms = (value: number): string => value.toFixed(1);

/** What else the machine was doing: load averages over 1, 5 and 15 minutes. */
export const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(" ");

export interface Row {
  what: string;
  measured: string;
  bar: string;
}

export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ what, measured, bar }) => `| ${what} | ${measured} | ${bar} |`);
  return ["| what | measured | bar |", "|---|---|---|", ...lines].join("\n");
}

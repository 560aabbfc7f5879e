import { arange, linspace, roundHalfEven } from "./numeric.ts";

export type TimestepSpacing = "leading" | "linspace" | "trailing";

/** Table 2 of arXiv 2305.08891, descending. `linspace` is not rounded here: Euler uses the fractions. */
export function spacedTimesteps(
  spacing: TimestepSpacing,
  steps: number,
  trainTimesteps: number,
  stepsOffset: number,
): number[] {
  switch (spacing) {
    case "linspace":
      return linspace(0, trainTimesteps - 1, steps).reverse();
    case "leading": {
      const ratio = Math.floor(trainTimesteps / steps);
      return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * ratio + stepsOffset);
    }
    case "trailing":
      return arange(trainTimesteps, 0, -trainTimesteps / steps).map((t) => roundHalfEven(t) - 1);
  }
}

/** DPM-Solver++: N+1 points of which the last is dropped, so that the step sizes are even. */
export function solverTimesteps(
  spacing: TimestepSpacing,
  steps: number,
  trainTimesteps: number,
  lastTimestep: number,
  stepsOffset: number,
): number[] {
  switch (spacing) {
    case "linspace":
      return linspace(0, lastTimestep - 1, steps + 1)
        .map(roundHalfEven)
        .reverse()
        .slice(0, -1);
    case "leading": {
      const ratio = Math.floor(lastTimestep / (steps + 1));
      return Array.from({ length: steps }, (_, i) => (steps - i) * ratio + stepsOffset);
    }
    case "trailing":
      return arange(lastTimestep, 0, -trainTimesteps / steps).map((t) => roundHalfEven(t) - 1);
  }
}

import type { SchedulerConfig } from "./config.ts";

/** x0 from `x = α·x0 + σ·ε` for what the model predicts. */
export function originalSample(
  prediction: SchedulerConfig["prediction_type"],
  alpha: number,
  sigma: number,
): { x0Sample: number; x0Output: number } {
  switch (prediction) {
    case "epsilon":
      return { x0Sample: 1 / alpha, x0Output: -sigma / alpha };
    case "v_prediction":
      return { x0Sample: alpha, x0Output: -sigma };
    case "sample":
      return { x0Sample: 0, x0Output: 1 };
  }
}

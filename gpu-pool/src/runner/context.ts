import type { FromRunner, RunnerJob } from "./messages.ts";
import type { Models } from "./models.ts";
import type { Partner } from "./partner.ts";
import type { SpentMeter } from "./spent.ts";

export interface JobContext {
  job: RunnerJob;
  models: Models;
  spent: SpentMeter;
  device: "cpu" | "cuda";
  signal: AbortSignal;
  /** Aborted when the run is to end with what it has: the frames as they stand, no speech that is not done. */
  finish: AbortSignal;
  partner: Partner;
  send: (message: FromRunner) => void;
}

import { SCHEDULER_PRESETS } from "@cartoon/protos";
import { parseSchedulerConfig, type SchedulerConfig } from "./config.ts";
import { ddim } from "./ddim.ts";
import { dpmSolverMultistep } from "./dpm-solver.ts";
import { eulerDiscrete } from "./euler-discrete.ts";
import { lcm } from "./lcm.ts";
import type { Scheduler } from "./scheduler.ts";

type Overrides = Partial<SchedulerConfig>;

/** The noise schedule that the SDXL motion adapter was trained and published with (guoyww/AnimateDiff, branch sdxl). */
const SDXL_OFFICIAL: Overrides = {
  _class_name: "EulerDiscreteScheduler",
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  beta_end: 0.02,
  timestep_spacing: "leading",
  steps_offset: 1,
};

const LINEAR_DDIM: Overrides = {
  _class_name: "DDIMScheduler",
  beta_schedule: "linear",
  beta_start: 0.00085,
  beta_end: 0.012,
  clip_sample: false,
  timestep_spacing: "linspace",
  steps_offset: 1,
};

/** What a preset changes in the pack's own scheduler config; what the model predicts always stays the pack's. */
const PRESETS: Record<(typeof SCHEDULER_PRESETS)[number], Overrides> = {
  toon: {},
  "sdxl-official": SDXL_OFFICIAL,
  "sdxl-diffusers": LINEAR_DDIM,
  sd15: LINEAR_DDIM,
  euler: { _class_name: "EulerDiscreteScheduler", use_karras_sigmas: false },
  ddim: { _class_name: "DDIMScheduler", clip_sample: false },
  "dpmpp-2m": { _class_name: "DPMSolverMultistepScheduler", use_karras_sigmas: false },
  "dpmpp-2m-karras": { _class_name: "DPMSolverMultistepScheduler", use_karras_sigmas: true },
  lcm: { _class_name: "LCMScheduler", clip_sample: false },
};

/**
 * @param base the pack's `scheduler_config.json`
 * @param preset a name of SCHEDULER_PRESETS; "" and "toon" mean the pack's own sampler
 * @throws Error naming the presets when there is no such preset
 */
export function presetConfig(base: unknown, preset: string): SchedulerConfig {
  const own = parseSchedulerConfig(base);
  if (preset === "") return own;
  const known = SCHEDULER_PRESETS.find((name) => name === preset);
  if (!known) throw new Error(`scheduler: "${preset}" is not one of ${SCHEDULER_PRESETS.join(", ")}`);
  const changed = { ...own, ...PRESETS[known] };
  return { ...changed, prediction_type: own.prediction_type };
}

/** True when a preset samples on another noise schedule than the model was trained on. */
export function changesNoiseSchedule(base: unknown, preset: string): boolean {
  const own = parseSchedulerConfig(base);
  const used = presetConfig(base, preset);
  const keys = ["beta_start", "beta_end", "beta_schedule"] as const;
  return keys.some((key) => used[key] !== own[key]);
}

/** A sampler from a diffusers scheduler config, set up for `steps` steps. */
export function createScheduler(config: SchedulerConfig, steps: number): Scheduler {
  if (!Number.isInteger(steps) || steps < 1 || steps > config.num_train_timesteps)
    throw new Error(`num_inference_steps: must be a whole number from 1 to ${config.num_train_timesteps}`);
  switch (config._class_name) {
    case "EulerDiscreteScheduler":
      return eulerDiscrete(config, steps);
    case "DDIMScheduler":
      return ddim(config, steps);
    case "DPMSolverMultistepScheduler":
      return dpmSolverMultistep(config, steps);
    case "LCMScheduler":
      return lcm(config, steps);
    default:
      throw new Error(
        `scheduler config: _class_name "${config._class_name}" is not one of EulerDiscreteScheduler, ` +
          "DDIMScheduler, DPMSolverMultistepScheduler, LCMScheduler",
      );
  }
}

import { z } from "zod";

/**
 * The part of a diffusers `scheduler_config.json` that shapes sampling. Keys that only matter for training or for
 * other samplers are ignored, as `from_config` does. Defaults follow diffusers 0.42, where they are shared by all
 * samplers; the ones that differ by sampler are filled in by `withSamplerDefaults`.
 */
export const SchedulerConfig = z.object({
  _class_name: z.string(),
  num_train_timesteps: z.int().min(2).max(100_000).default(1000),
  beta_start: z.number().gt(0).lt(1).optional(),
  beta_end: z.number().gt(0).lt(1).optional(),
  beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).optional(),
  trained_betas: z.array(z.number()).nullish(),
  prediction_type: z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon"),
  timestep_spacing: z.enum(["leading", "linspace", "trailing"]).optional(),
  steps_offset: z.int().min(0).default(0),
  set_alpha_to_one: z.boolean().default(true),
  clip_sample: z.boolean().optional(),
  clip_sample_range: z.number().default(1),
  thresholding: z.boolean().nullish(),
  rescale_betas_zero_snr: z.boolean().nullish(),
  use_karras_sigmas: z.boolean().nullish(),
  use_exponential_sigmas: z.boolean().nullish(),
  use_beta_sigmas: z.boolean().nullish(),
  use_lu_lambdas: z.boolean().nullish(),
  use_flow_sigmas: z.boolean().nullish(),
  interpolation_type: z.enum(["linear", "log_linear"]).default("linear"),
  timestep_type: z.enum(["discrete", "continuous"]).default("discrete"),
  sigma_min: z.number().nullish(),
  sigma_max: z.number().nullish(),
  final_sigmas_type: z.enum(["zero", "sigma_min"]).default("zero"),
  solver_order: z.int().min(1).max(2).default(2),
  solver_type: z.enum(["midpoint", "heun"]).default("midpoint"),
  algorithm_type: z.enum(["dpmsolver++", "sde-dpmsolver++"]).default("dpmsolver++"),
  lower_order_final: z.boolean().default(true),
  euler_at_final: z.boolean().default(false),
  lambda_min_clipped: z.number().nullish(),
  original_inference_steps: z.int().min(1).default(50),
  timestep_scaling: z.number().default(10),
});
export type SchedulerConfig = z.infer<typeof SchedulerConfig>;

/** Sampling options that no sampler here offers; a config that asks for one is refused, not silently bent. */
const UNSUPPORTED = [
  "thresholding",
  "use_exponential_sigmas",
  "use_beta_sigmas",
  "use_lu_lambdas",
  "use_flow_sigmas",
] as const;

/** @throws Error naming every field that is wrong or not supported. */
export function parseSchedulerConfig(json: unknown): SchedulerConfig {
  const parsed = SchedulerConfig.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join(".") || "(root)"}: ${issue.message}`,
    );
    throw new Error(`scheduler config: ${problems.join("; ")}`);
  }
  const asked = UNSUPPORTED.filter((key) => parsed.data[key] === true);
  if (asked.length > 0) throw new Error(`scheduler config: not supported: ${asked.join(", ")}`);
  return parsed.data;
}

import { alphasCumprod, noiseMix } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import { at, roundHalfEven } from "./numeric.ts";
import { originalSample } from "./prediction.ts";
import type { Scheduler, StepCoefficients } from "./scheduler.ts";
import { spacedTimesteps } from "./timesteps.ts";

/**
 * Denoising diffusion implicit models (arXiv 2010.02502, equations 12 and 16); diffusers 0.42 `DDIMScheduler`.
 * The step before is `t − floor(T/N)` whatever the spacing, which is a quirk of that scheduler and kept.
 * @param eta 0 is deterministic, 1 is DDPM
 */
export function ddim(config: SchedulerConfig, steps: number, eta = 0): Scheduler {
  const alphas = alphasCumprod(config, false);
  const finalAlpha = config.set_alpha_to_one ? 1 : at(alphas, 0);
  const spacing = config.timestep_spacing ?? "leading";
  const timesteps = spacedTimesteps(spacing, steps, config.num_train_timesteps, config.steps_offset).map(
    roundHalfEven,
  );
  const gap = Math.floor(config.num_train_timesteps / steps);
  return {
    name: "ddim",
    timesteps,
    initNoiseSigma: 1,
    inputScales: timesteps.map(() => 1),
    steps: timesteps.map((t) =>
      ddimStep(config, at(alphas, t), t - gap >= 0 ? at(alphas, t - gap) : finalAlpha, eta),
    ),
    clip: (config.clip_sample ?? true) ? config.clip_sample_range : Number.POSITIVE_INFINITY,
    addNoise: timesteps.map((t) => ({
      signal: Math.sqrt(at(alphas, t)),
      noise: Math.sqrt(1 - at(alphas, t)),
    })),
    terminal: noiseMix(at(alphas, alphas.length - 1)),
  };
}

function ddimStep(
  config: SchedulerConfig,
  alpha: number,
  previousAlpha: number,
  eta: number,
): StepCoefficients {
  const variance = ((1 - previousAlpha) / (1 - alpha)) * (1 - alpha / previousAlpha);
  const sigma = eta * Math.sqrt(variance);
  const direction = Math.sqrt(1 - previousAlpha - sigma ** 2);
  const toX0 = originalSample(config.prediction_type, Math.sqrt(alpha), Math.sqrt(1 - alpha));
  const epsilon = noiseOf(config, alpha);
  return {
    ...toX0,
    sample: direction * epsilon.sample,
    output: direction * epsilon.output,
    x0: Math.sqrt(previousAlpha) + direction * epsilon.x0,
    previousX0: 0,
    noise: sigma,
  };
}

/** ε as a combination of the sample, the model output and x0. */
function noiseOf(config: SchedulerConfig, alpha: number): { sample: number; output: number; x0: number } {
  switch (config.prediction_type) {
    case "epsilon":
      return { sample: 0, output: 1, x0: 0 };
    case "v_prediction":
      return { sample: Math.sqrt(1 - alpha), output: Math.sqrt(alpha), x0: 0 };
    case "sample":
      // diffusers takes ε from the unclamped output.
      return { sample: 1 / Math.sqrt(1 - alpha), output: -Math.sqrt(alpha) / Math.sqrt(1 - alpha), x0: 0 };
  }
}

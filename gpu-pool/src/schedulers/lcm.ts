import { alphasCumprod, noiseMix } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import { at } from "./numeric.ts";
import { originalSample } from "./prediction.ts";
import type { Scheduler, StepCoefficients } from "./scheduler.ts";

const SIGMA_DATA = 0.5;

/** Multistep latent consistency sampling (arXiv 2310.04378); diffusers 0.42 `LCMScheduler`. Noisy but the last step. */
export function lcm(config: SchedulerConfig, steps: number): Scheduler {
  const origin = config.original_inference_steps;
  if (steps > origin) throw new Error(`num_inference_steps: the lcm scheduler takes at most ${origin} steps`);
  const alphas = alphasCumprod(config, false);
  const k = Math.floor(config.num_train_timesteps / origin);
  const timesteps = Array.from(
    { length: steps },
    (_, i) => (origin - Math.floor((i * origin) / steps)) * k - 1,
  );
  const finalIndex = steps - 1;
  return {
    name: "lcm",
    timesteps,
    initNoiseSigma: 1,
    inputScales: timesteps.map(() => 1),
    steps: timesteps.map((t, i) =>
      lcmStep(config, t, at(alphas, t), i === finalIndex ? undefined : at(alphas, at(timesteps, i + 1))),
    ),
    clip: config.clip_sample ? config.clip_sample_range : Number.POSITIVE_INFINITY,
    addNoise: timesteps.map((t) => ({
      signal: Math.sqrt(at(alphas, t)),
      noise: Math.sqrt(1 - at(alphas, t)),
    })),
    terminal: noiseMix(at(alphas, alphas.length - 1)),
  };
}

/** @param nextAlpha ᾱ of the next timestep; absent on the last step, which returns the denoised sample */
function lcmStep(
  config: SchedulerConfig,
  t: number,
  alpha: number,
  nextAlpha: number | undefined,
): StepCoefficients {
  const scaled = t * config.timestep_scaling;
  const denominator = scaled ** 2 + SIGMA_DATA ** 2;
  const skip = SIGMA_DATA ** 2 / denominator;
  const out = scaled / Math.sqrt(denominator);
  const keep = nextAlpha === undefined ? 1 : Math.sqrt(nextAlpha);
  return {
    ...originalSample(config.prediction_type, Math.sqrt(alpha), Math.sqrt(1 - alpha)),
    sample: keep * skip,
    output: 0,
    x0: keep * out,
    previousX0: 0,
    noise: nextAlpha === undefined ? 0 : Math.sqrt(1 - nextAlpha),
  };
}

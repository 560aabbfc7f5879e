import { alphasCumprod, noiseMix } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import { at, interpolateAt, linspace } from "./numeric.ts";
import type { Scheduler, StepCoefficients } from "./scheduler.ts";
import { karrasSigmas, sigmasOf, timestepOfSigma } from "./sigmas.ts";
import { spacedTimesteps } from "./timesteps.ts";

/** Euler's method on the probability flow ODE; diffusers 0.42 `EulerDiscreteScheduler` without churn. */
export function eulerDiscrete(config: SchedulerConfig, steps: number): Scheduler {
  const train = alphasCumprod(config, true);
  const trainSigmas = sigmasOf(train);
  const spacing = config.timestep_spacing ?? "linspace";
  let timesteps = spacedTimesteps(spacing, steps, config.num_train_timesteps, config.steps_offset).map(
    Math.fround,
  );
  let sigmas =
    config.interpolation_type === "log_linear"
      ? linspace(
          Math.log(at(trainSigmas, trainSigmas.length - 1)),
          Math.log(at(trainSigmas, 0)),
          steps + 1,
        ).map(Math.exp)
      : timesteps.map((t) => interpolateAt(t, trainSigmas));
  if (config.use_karras_sigmas) {
    sigmas = karrasSigmas(
      config.sigma_max ?? at(sigmas, 0),
      config.sigma_min ?? at(sigmas, steps - 1),
      steps,
    );
    timesteps = sigmas.map((sigma) => timestepOfSigma(sigma, trainSigmas));
  }
  sigmas = [...sigmas, config.final_sigmas_type === "zero" ? 0 : at(trainSigmas, 0)].map(Math.fround);
  if (config.timestep_type === "continuous" && config.prediction_type === "v_prediction")
    timesteps = sigmas.slice(0, -1).map((sigma) => 0.25 * Math.log(sigma));
  const sigmaMax = Math.max(...sigmas);
  return {
    name: "euler",
    timesteps: timesteps.map(Math.fround),
    initNoiseSigma: spacing === "leading" ? Math.sqrt(sigmaMax ** 2 + 1) : sigmaMax,
    inputScales: sigmas.slice(0, steps).map((sigma) => 1 / Math.sqrt(sigma ** 2 + 1)),
    steps: sigmas.slice(0, steps).map((sigma, i) => eulerStep(config, sigma, at(sigmas, i + 1))),
    clip: Number.POSITIVE_INFINITY,
    addNoise: sigmas.slice(0, steps).map((noise) => ({ signal: 1, noise })),
    terminal: noiseMix(at(train, train.length - 1)),
  };
}

function eulerStep(config: SchedulerConfig, sigma: number, nextSigma: number): StepCoefficients {
  const dt = nextSigma - sigma;
  const none = { sample: 1, output: 0, x0: 0, previousX0: 0, noise: 0 };
  // The derivative (x − x0)/σ is the output itself when the model predicts ε.
  if (config.prediction_type === "epsilon") return { ...none, x0Sample: 1, x0Output: -sigma, output: dt };
  const viaX0 = { ...none, sample: 1 + dt / sigma, x0: -dt / sigma };
  if (config.prediction_type === "sample") return { ...viaX0, x0Sample: 0, x0Output: 1 };
  return { ...viaX0, x0Sample: 1 / (sigma ** 2 + 1), x0Output: -sigma / Math.sqrt(sigma ** 2 + 1) };
}

import { alphasCumprod, noiseMix } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import { at, interpolateAt, roundHalfEven } from "./numeric.ts";
import { originalSample } from "./prediction.ts";
import type { Scheduler, StepCoefficients } from "./scheduler.ts";
import { karrasSigmas, sigmasOf, timestepOfSigma } from "./sigmas.ts";
import { solverTimesteps } from "./timesteps.ts";

/** DPM-Solver++ (arXiv 2211.01095), orders 1 and 2; diffusers 0.42 `DPMSolverMultistepScheduler`. */
export function dpmSolverMultistep(config: SchedulerConfig, steps: number): Scheduler {
  const alphas = alphasCumprod(config, true);
  const trainSigmas = sigmasOf(alphas);
  let timesteps = solverTimesteps(
    config.timestep_spacing ?? "linspace",
    steps,
    config.num_train_timesteps,
    config.num_train_timesteps - clippedTimesteps(config, trainSigmas),
    config.steps_offset,
  );
  let sigmas = timesteps.map((t) => interpolateAt(t, trainSigmas));
  if (config.use_karras_sigmas) {
    const max = config.sigma_max ?? at(trainSigmas, trainSigmas.length - 1);
    sigmas = karrasSigmas(max, config.sigma_min ?? at(trainSigmas, 0), steps);
    timesteps = sigmas.map((sigma) => timestepOfSigma(sigma, trainSigmas));
    if (config.beta_schedule !== "squaredcos_cap_v2") timesteps = timesteps.map(roundHalfEven);
  }
  sigmas = [...sigmas, config.final_sigmas_type === "zero" ? 0 : at(trainSigmas, 0)].map(Math.fround);
  const points = sigmas.map(pointOf);
  return {
    name: "dpmpp-2m",
    timesteps: timesteps.map(Math.trunc),
    initNoiseSigma: 1,
    inputScales: timesteps.map(() => 1),
    steps: timesteps.map((_, i) => solverStep(config, points, i, timesteps.length)),
    clip: Number.POSITIVE_INFINITY,
    addNoise: points.slice(0, steps).map((point) => ({ signal: point.alpha, noise: point.sigma })),
    terminal: noiseMix(at(alphas, alphas.length - 1)),
  };
}

/** α, σ and λ = ln α − ln σ of the variance-preserving process. */
interface Point {
  alpha: number;
  sigma: number;
  lambda: number;
}

function pointOf(sigma: number): Point {
  const alpha = 1 / Math.sqrt(sigma ** 2 + 1);
  return { alpha, sigma: sigma * alpha, lambda: Math.log(alpha) - Math.log(sigma * alpha) };
}

/** How many of the noisiest timesteps `lambda_min_clipped` takes away. */
function clippedTimesteps(config: SchedulerConfig, trainSigmas: Float32Array): number {
  const limit = config.lambda_min_clipped ?? Number.NEGATIVE_INFINITY;
  return trainSigmas.reduce((count, sigma) => count + (-Math.log(sigma) < limit ? 1 : 0), 0);
}

function solverStep(
  config: SchedulerConfig,
  points: readonly Point[],
  index: number,
  steps: number,
): StepCoefficients {
  const from = point(points, index);
  const to = point(points, index + 1);
  const h = to.lambda - from.lambda;
  const stochastic = config.algorithm_type === "sde-dpmsolver++";
  const shrink = Math.exp(stochastic ? -2 * h : -h) - 1;
  const base = {
    ...originalSample(config.prediction_type, from.alpha, from.sigma),
    sample: (to.sigma / from.sigma) * (stochastic ? Math.exp(-h) : 1),
    output: 0,
    x0: -to.alpha * shrink,
    previousX0: 0,
    noise: stochastic ? to.sigma * Math.sqrt(-shrink) : 0,
  };
  if (usesFirstOrder(config, index, steps)) return base;
  const r = (from.lambda - point(points, index - 1).lambda) / h;
  const curvature = (stochastic ? -2 : -1) * h;
  const heun = stochastic ? -shrink / curvature + 1 : shrink / h + 1;
  const second = config.solver_type === "midpoint" ? -0.5 * to.alpha * shrink : to.alpha * heun;
  return { ...base, x0: base.x0 + second / r, previousX0: -second / r };
}

function usesFirstOrder(config: SchedulerConfig, index: number, steps: number): boolean {
  const last = index === steps - 1;
  const lowerLast =
    config.euler_at_final || (config.lower_order_final && steps < 15) || config.final_sigmas_type === "zero";
  return config.solver_order === 1 || index === 0 || (last && lowerLast);
}

function point(points: readonly Point[], index: number): Point {
  const found = points[index];
  if (!found) throw new RangeError(`sigma ${index} outside 0..${points.length - 1}`);
  return found;
}

import type { SchedulerConfig } from "./config.ts";
import { at } from "./numeric.ts";
import type { NoiseMix } from "./scheduler.ts";

const f = Math.fround;

/**
 * The noise schedule in float32, rounding where torch rounds (diffusers 0.42, `schedulers/scheduling_*.py`).
 * @returns `alphasCumprod[t]`, t = 0 … num_train_timesteps − 1.
 */
export function alphasCumprod(config: SchedulerConfig, nonZeroTerminal: boolean): Float32Array {
  let betas = makeBetas(config);
  if (config.rescale_betas_zero_snr) betas = rescaleZeroTerminalSnr(betas);
  const result = cumulativeAlphas(betas);
  // 2^-24 keeps the first sigma finite (Euler, DPM++).
  if (config.rescale_betas_zero_snr && nonZeroTerminal) result[result.length - 1] = 2 ** -24;
  return result;
}

function makeBetas(config: SchedulerConfig): Float32Array {
  const count = config.num_train_timesteps;
  const start = config.beta_start ?? 0.0001;
  const end = config.beta_end ?? 0.02;
  if (config.trained_betas) return Float32Array.from(config.trained_betas);
  switch (config.beta_schedule ?? "linear") {
    case "linear":
      return torchLinspace(start, end, count);
    case "scaled_linear":
      return torchLinspace(Math.sqrt(start), Math.sqrt(end), count).map((root) => f(root * root));
    case "squaredcos_cap_v2":
      return cosineBetas(count);
  }
}

/** `torch.linspace` in float32: counted from the nearer end. */
function torchLinspace(start: number, end: number, count: number): Float32Array {
  const step = f((f(end) - f(start)) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) =>
    i < count / 2 ? f(f(start) + f(step * i)) : f(f(end) - f(step * (count - i - 1))),
  );
}

/** Glide's cosine schedule with betas capped at 0.999. */
function cosineBetas(count: number): Float32Array {
  const alphaBar = (time: number) => Math.cos(((time + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  return Float32Array.from({ length: count }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), 0.999),
  );
}

function cumulativeAlphas(betas: Float32Array): Float32Array {
  const result = new Float32Array(betas.length);
  let product = 1;
  for (let i = 0; i < betas.length; i++) {
    product *= f(1 - at(betas, i));
    result[i] = product;
  }
  return result;
}

/** Common Diffusion Noise Schedules and Sample Steps are Flawed (arXiv 2305.08891), algorithm 1. */
function rescaleZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeAlphas(betas).map(Math.sqrt);
  const first = at(roots, 0);
  const last = at(roots, roots.length - 1);
  const scale = f(first / f(first - last));
  const bars = roots.map((root) => f(f(root - last) * scale)).map((root) => f(root * root));
  return bars.map((bar, i) => f(1 - (i === 0 ? bar : f(bar / at(bars, i - 1)))));
}

/** `x = √ᾱ·x0 + √(1 − ᾱ)·z` */
export function noiseMix(alphaCumprod: number): NoiseMix {
  return { signal: Math.sqrt(alphaCumprod), noise: Math.sqrt(1 - alphaCumprod) };
}

import { at, linspace } from "./numeric.ts";

/** σ_t = √((1 − ᾱ_t)/ᾱ_t) in float32. */
export function sigmasOf(alphasCumprod: Float32Array): Float32Array {
  return alphasCumprod.map((alpha) => Math.sqrt(Math.fround(Math.fround(1 - alpha) / alpha)));
}

/** Karras et al. 2022 (arXiv 2206.00364), equation 5 with ρ = 7. */
export function karrasSigmas(sigmaMax: number, sigmaMin: number, count: number): number[] {
  const rho = 7;
  const low = sigmaMin ** (1 / rho);
  const high = sigmaMax ** (1 / rho);
  return linspace(0, 1, count).map((ramp) => (high + ramp * (low - high)) ** rho);
}

/** The (fractional) timestep whose log σ is that of `sigma`. */
export function timestepOfSigma(sigma: number, sigmas: Float32Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  const logs = sigmas.map(Math.log);
  let low = 0;
  for (let i = 0; i < logs.length - 1; i++) if (at(logs, i) <= logSigma) low = i;
  low = Math.min(low, logs.length - 2);
  const a = at(logs, low);
  const b = at(logs, low + 1);
  const weight = Math.min(1, Math.max(0, (a - logSigma) / (a - b)));
  return (1 - weight) * low + weight * (low + 1);
}

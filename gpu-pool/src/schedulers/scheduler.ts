/**
 * One sampling step is linear in what it reads, so every sampler is a table of coefficients:
 *
 *     x0   = x0Sample·x + x0Output·output            (clamped to ±clip where the config asks for it)
 *     next = sample·x + output·output + x0·x0 + previousX0·x0' + noise·z
 *
 * with `x0'` the x0 of the step before and `z` fresh standard normal noise.
 */
export interface StepCoefficients {
  x0Sample: number;
  x0Output: number;
  sample: number;
  output: number;
  x0: number;
  previousX0: number;
  noise: number;
}

export interface NoiseMix {
  signal: number;
  noise: number;
}

/** A sampler set up for a number of steps. Holds no state: what a step hands on is in {@link StepResult}. */
export interface Scheduler {
  readonly name: string;
  /** One per step, descending; float32 values as the model gets them. */
  readonly timesteps: readonly number[];
  /** Factor of the initial standard normal latents. */
  readonly initNoiseSigma: number;
  /** Factor of the latents at the model's input, one per step. */
  readonly inputScales: readonly number[];
  readonly steps: readonly StepCoefficients[];
  /** x0 is clamped to ±clip; `Infinity` for none. */
  readonly clip: number;
  /** `x = signal·x0 + noise·z` at step i, to start from given latents. */
  readonly addNoise: readonly NoiseMix[];
  /** The same at the last training timestep, in variance-preserving form (√ᾱ, √(1 − ᾱ)). */
  readonly terminal: NoiseMix;
}

export interface StepResult {
  sample: Float32Array;
  x0: Float32Array;
}

/**
 * @param output guided model output, same length as `sample`
 * @param previousX0 the `x0` of the step before; absent on the first
 * @param noise standard normal values; needed where {@link needsNoise} says so
 * @param into arrays to write to, none of those that are read
 */
export function schedulerStep(
  scheduler: Scheduler,
  index: number,
  sample: Float32Array,
  output: Float32Array,
  previousX0?: Float32Array,
  noise?: Float32Array,
  into?: StepResult,
): StepResult {
  const k = coefficients(scheduler, index);
  if (k.noise !== 0 && !noise) throw new Error(`${scheduler.name}: step ${index} needs noise`);
  if (k.previousX0 !== 0 && !previousX0)
    throw new Error(`${scheduler.name}: step ${index} needs the x0 before it`);
  const { sample: next, x0 } = into ?? {
    sample: new Float32Array(sample.length),
    x0: new Float32Array(sample.length),
  };
  const { clip } = scheduler;
  // Out of the loop, which has millions of turns in each step.
  const clips = clip !== Number.POSITIVE_INFINITY;
  const before = k.previousX0 === 0 ? undefined : previousX0;
  const fresh = k.noise === 0 ? undefined : noise;
  for (let i = 0; i < sample.length; i++) {
    const x = sample[i] as number;
    const out = output[i] as number;
    const guess = Math.fround(k.x0Sample * x + k.x0Output * out);
    const clean = clips ? Math.min(clip, Math.max(-clip, guess)) : guess;
    let value = k.sample * x + k.output * out + k.x0 * clean;
    if (before) value += k.previousX0 * (before[i] as number);
    if (fresh) value += k.noise * (fresh[i] as number);
    x0[i] = clean;
    next[i] = value;
  }
  return { sample: next, x0 };
}

export function needsNoise(scheduler: Scheduler, index: number): boolean {
  return coefficients(scheduler, index).noise !== 0;
}

function coefficients(scheduler: Scheduler, index: number): StepCoefficients {
  const found = scheduler.steps[index];
  if (!found) throw new RangeError(`step ${index} outside 0..${scheduler.steps.length - 1}`);
  return found;
}

import { Mt19937 } from "../../random/index.ts";
import { needsNoise, type StepResult, schedulerStep } from "../../schedulers/index.ts";
import { Buffers } from "./buffers.ts";
import type { DenoiseState } from "./checkpoint.ts";
import type { LatentShape } from "./latents.ts";
import { isOutOfMemory } from "./memory.ts";
import type { Predictor } from "./predict.ts";
import { predictSteps } from "./predict-steps.ts";
import type { ResolvedClip } from "./settings.ts";

/** What happens around each step; every hook is awaited. */
export interface DenoiseHooks {
  /** Called before every UNet pass; throws to stop. */
  check(stepsDone: number): void;
  /** Called when the device ran out of memory; false gives up. The step is then done again. */
  onOutOfMemory(): Promise<boolean>;
  /**
   * `x0` is the model's present guess of the finished latents. `whole`: going on from this state later gives the
   * same bytes; it does not between two steps that were predicted together.
   */
  onStep(state: DenoiseState, x0: Float32Array, seconds: number, whole: boolean): Promise<void>;
  /** True when the present step is to be the last, whatever steps are left. */
  isToFinish(): boolean;
}

/**
 * Runs the sampler from `state` to its end.
 * @returns the state after the last step; its latents are `[channels, frames, height, width]`
 */
export async function denoise(
  clip: ResolvedClip,
  shape: LatentShape,
  predictor: Predictor,
  state: DenoiseState,
  hooks: DenoiseHooks,
): Promise<DenoiseState> {
  const { scheduler } = clip;
  const random = Mt19937.restore(state.random);
  const steps = scheduler.timesteps.length;
  const buffers = new Buffers();
  let current = state;
  /** What the step before the last one has made, which nobody reads any more. */
  let spare: StepResult | undefined;
  while (current.step < steps) {
    const start = performance.now();
    const noiseOf = (step: number) =>
      needsNoise(scheduler, step) ? random.randn(current.latents.length) : undefined;
    const first = noiseOf(current.step);
    const outputs = await persistently(hooks, () =>
      predictSteps({ clip, shape, predictor, state: current, noise: first, hooks, buffers }),
    );
    const seconds = (performance.now() - start) / 1000 / outputs.length;
    for (const [i, output] of outputs.entries()) {
      const { step, latents, previousX0 } = current;
      const noise = i === 0 ? first : noiseOf(step);
      const { sample, x0 } = schedulerStep(scheduler, step, latents, output, previousX0, noise, spare);
      // The first state is the caller's.
      spare = current === state || !previousX0 ? undefined : { sample: latents, x0: previousX0 };
      current = { ...current, step: step + 1, latents: sample, previousX0: x0, random: random.save() };
      await hooks.onStep(current, x0, seconds, i === outputs.length - 1);
    }
    if (hooks.isToFinish()) break;
  }
  return current;
}

/** Tries again with less memory, as long as there are ways to use less. */
async function persistently<T>(hooks: DenoiseHooks, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isOutOfMemory(error) || !(await hooks.onOutOfMemory())) throw error;
    }
  }
}

import { Mt19937 } from "../../random/index.ts";
import { needsNoise, schedulerStep } from "../../schedulers/index.ts";
import { breathe } from "./breathe.ts";
import type { DenoiseState } from "./checkpoint.ts";
import { guide, isGuided } from "./guidance.ts";
import { accumulate, divideFrames, gatherFrames, type LatentShape } from "./latents.ts";
import { isOutOfMemory } from "./memory.ts";
import type { Prediction, Predictor } from "./predict.ts";
import type { ResolvedClip } from "./settings.ts";
import { contextWindows, type FrameWindow, pyramidWeights } from "./windows.ts";

/** What happens around each step; every hook is awaited. */
export interface DenoiseHooks {
  /** Called before every UNet pass; throws to stop. */
  check(stepsDone: number): void;
  /** Called when the device ran out of memory; false gives up. The step is then done again. */
  onOutOfMemory(): boolean;
  /** `x0` is the model's present guess of the finished latents. */
  onStep(state: DenoiseState, x0: Float32Array, seconds: number): Promise<void>;
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
  let current = state;
  for (let step = state.step; step < scheduler.timesteps.length; step++) {
    const start = performance.now();
    const output = await persistently(hooks, () =>
      guidedPrediction(clip, shape, predictor, current.latents, step, hooks),
    );
    const noise = needsNoise(scheduler, step) ? random.randn(current.latents.length) : undefined;
    const { sample, x0 } = schedulerStep(scheduler, step, current.latents, output, current.previousX0, noise);
    current = { ...current, step: step + 1, latents: sample, previousX0: x0, random: random.save() };
    await hooks.onStep(current, x0, (performance.now() - start) / 1000);
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
      if (!isOutOfMemory(error) || !hooks.onOutOfMemory()) throw error;
    }
  }
}

/** Guided model output for all frames: windows are averaged with pyramid weights before guidance is applied. */
async function guidedPrediction(
  clip: ResolvedClip,
  shape: LatentShape,
  predictor: Predictor,
  latents: Float32Array,
  step: number,
  hooks: DenoiseHooks,
): Promise<Float32Array> {
  const { scheduler, guidanceScale, guidanceRescale } = clip;
  const guided = isGuided(step, scheduler.timesteps.length, guidanceScale, clip.quality);
  const windows = contextWindows(clip.windows, step);
  const inputScale = scheduler.inputScales[step] ?? 1;
  const timestep = scheduler.timesteps[step] ?? 0;
  const sampleOf = (window: FrameWindow) =>
    gatherFrames(latents, shape, window).map((value) => value * inputScale);
  // A partner takes one half of a guided window, or every second window without guidance.
  const begun = windows.map((window, i) =>
    !guided && i % 2 === 1 ? predictor.begin?.(sampleOf(window), shape, window, timestep) : undefined,
  );
  const parts: Prediction[] = [];
  const here = async (window: FrameWindow): Promise<Prediction> => {
    // Messages (cancel, above all) are read here: a pass blocks the event loop.
    await breathe();
    hooks.check(step);
    return predictor.predict(sampleOf(window), shape, window, timestep, guided);
  };
  for (const [i, window] of windows.entries()) if (!begun[i]) parts[i] = await here(window);
  for (const [i, window] of windows.entries()) {
    const cond = await begun[i]?.catch(() => undefined);
    if (cond) parts[i] = { cond, uncond: undefined };
    else if (begun[i]) parts[i] = await here(window);
  }
  const cond = merge(
    parts.map((part) => part.cond),
    windows,
    shape,
  );
  const unconds = parts.flatMap(({ uncond }) => (uncond ? [uncond] : []));
  if (unconds.length === 0) return cond;
  return guide(merge(unconds, windows, shape), cond, guidanceScale, guidanceRescale);
}

function merge(
  parts: readonly Float32Array[],
  windows: readonly (readonly number[])[],
  shape: LatentShape,
): Float32Array {
  const first = parts[0];
  const whole = windows[0];
  const ordered = whole?.length === shape.frames && whole.every((frame, i) => frame === i);
  if (first && parts.length === 1 && ordered) return first;
  const sum = new Float32Array(shape.channels * shape.frames * shape.height * shape.width);
  const divisors = new Array<number>(shape.frames).fill(0);
  for (const [i, part] of parts.entries()) {
    const window = windows[i] ?? [];
    const weights = pyramidWeights(window.length);
    accumulate(sum, shape, part, window, weights);
    for (const [k, frame] of window.entries()) divisors[frame] = (divisors[frame] ?? 0) + (weights[k] ?? 0);
  }
  return divideFrames(sum, shape, divisors);
}

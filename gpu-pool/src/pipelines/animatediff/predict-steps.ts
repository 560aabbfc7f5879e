import { breathe } from "./breathe.ts";
import type { DenoiseState } from "./checkpoint.ts";
import type { DenoiseHooks } from "./denoise.ts";
import { guide, isGuided } from "./guidance.ts";
import { accumulate, divideFrames, gatherFrames, isWholeClip, type LatentShape, scaled } from "./latents.ts";
import type { NextSteps, Prediction, Predictor } from "./predict.ts";
import type { ResolvedClip } from "./settings.ts";
import { contextWindows, type FrameWindow, pyramidWeights } from "./windows.ts";

export interface StepsToPredict {
  clip: ResolvedClip;
  shape: LatentShape;
  predictor: Predictor;
  state: DenoiseState;
  /** Noise that the sampler adds in this step. */
  noise: Float32Array | undefined;
  hooks: Pick<DenoiseHooks, "check">;
}

/**
 * Guided model output of the next step for all frames, or of the next two where the second may reuse the features of
 * the first. Windows are averaged with pyramid weights before guidance is applied.
 */
export async function predictSteps(steps: StepsToPredict): Promise<Float32Array[]> {
  const { clip, state, predictor } = steps;
  const guided = isGuidedAt(clip, state.step);
  const two =
    predictor.predictsTwo === true &&
    state.step % 2 === 0 &&
    state.step + 1 < clip.scheduler.timesteps.length &&
    guided === isGuidedAt(clip, state.step + 1);
  return two ? predictTwo(steps, guided) : [await predictOne(steps, guided)];
}

function isGuidedAt({ scheduler, guidanceScale, quality }: ResolvedClip, step: number): boolean {
  return isGuided(step, scheduler.timesteps.length, guidanceScale, quality);
}

async function predictOne(steps: StepsToPredict, guided: boolean): Promise<Float32Array> {
  const { clip, shape, predictor, state, hooks } = steps;
  const { step, latents } = state;
  const windows = contextWindows(clip.windows, step);
  const timestep = clip.scheduler.timesteps[step] ?? 0;
  const all = scaledLatents(latents, clip, step);
  const sampleOf = (window: FrameWindow) =>
    isWholeClip(shape, window) ? all : gatherFrames(all, shape, window);
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
  return joinWindows(parts, windows, shape, clip);
}

/**
 * Two steps in one run per window. Inside it, the sample of the second follows from the window's own prediction;
 * where windows overlap, that is an approximation on top of the reuse.
 */
async function predictTwo(steps: StepsToPredict, guided: boolean): Promise<Float32Array[]> {
  const { clip, shape, predictor, state, hooks } = steps;
  const { step, latents } = state;
  const { timesteps } = clip.scheduler;
  const windows = contextWindows(clip.windows, step);
  const all = scaledLatents(latents, clip, step);
  const { base, slope } = affineStep(steps);
  const scale = clip.guidanceScale;
  const mix = guided
    ? { cond: slope * scale, uncond: slope * (1 - scale) }
    : { cond: slope, uncond: undefined };
  const pairs: [Prediction, Prediction][] = [];
  for (const window of windows) {
    await breathe();
    hooks.check(step);
    const next: NextSteps = {
      timestep: timesteps[step + 1] ?? 0,
      base: gatherFrames(base, shape, window),
      mix,
    };
    const sample = gatherFrames(all, shape, window);
    const pair = await predictor.predictTwo?.(sample, shape, window, timesteps[step] ?? 0, next);
    if (pair) pairs.push(pair);
  }
  return [0, 1].map((i) =>
    joinWindows(
      pairs.flatMap((pair) => pair[i] ?? []),
      windows,
      shape,
      clip,
    ),
  );
}

/** The next step's sample, scaled for the model, as `base + slope · output`: what the sampler's table says. */
function affineStep({ clip, state, noise }: StepsToPredict): { base: Float32Array; slope: number } {
  const { step, latents, previousX0 } = state;
  const k = clip.scheduler.steps[step];
  if (!k) throw new RangeError(`step ${step} of ${clip.scheduler.steps.length}`);
  const inputScale = clip.scheduler.inputScales[step + 1] ?? 1;
  const own = k.sample + k.x0 * k.x0Sample;
  const base = new Float32Array(latents.length);
  for (let i = 0; i < base.length; i++) {
    const before = k.previousX0 === 0 ? 0 : k.previousX0 * (previousX0?.[i] ?? 0);
    const fresh = k.noise === 0 ? 0 : k.noise * (noise?.[i] ?? 0);
    base[i] = inputScale * (own * (latents[i] as number) + before + fresh);
  }
  return { base, slope: inputScale * (k.output + k.x0 * k.x0Output) };
}

function scaledLatents(latents: Float32Array, { scheduler }: ResolvedClip, step: number): Float32Array {
  const scale = scheduler.inputScales[step] ?? 1;
  return scale === 1 ? latents : scaled(latents, scale);
}

function joinWindows(
  parts: readonly Prediction[],
  windows: readonly FrameWindow[],
  shape: LatentShape,
  { guidanceScale, guidanceRescale }: ResolvedClip,
): Float32Array {
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
  if (first && parts.length === 1 && isWholeClip(shape, windows[0] ?? [])) return first;
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

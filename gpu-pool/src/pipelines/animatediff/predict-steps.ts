import { breathe } from "../../breathe.ts";
import type { Buffers } from "./buffers.ts";
import type { DenoiseState } from "./checkpoint.ts";
import type { DenoiseHooks } from "./denoise.ts";
import { guide, isGuided } from "./guidance.ts";
import { gatherFrames, isWholeClip, type LatentShape, latentCount, scaled } from "./latents.ts";
import { mergeWindows } from "./merge-windows.ts";
import { PartnerShare } from "./partner-share.ts";
import type { NextSteps, Prediction, Predictor, WindowPass } from "./predict.ts";
import type { ResolvedClip } from "./settings.ts";
import { contextWindows, type FrameWindow } from "./windows.ts";

export interface StepsToPredict {
  clip: ResolvedClip;
  shape: LatentShape;
  predictor: Predictor;
  state: DenoiseState;
  /** Noise that the sampler adds in this step. */
  noise: Float32Array | undefined;
  hooks: Pick<DenoiseHooks, "check">;
  /** Of the run that the steps belong to. */
  buffers: Buffers;
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
  const { clip, predictor, state, hooks } = steps;
  const { step } = state;
  const windows = contextWindows(clip.windows, step);
  const passOf = windowPasses(steps);
  const done: Record<keyof Prediction, Float32Array[]> = { cond: [], uncond: [] };
  const help = new PartnerShare(predictor, windows, passOf, guided);
  const here = async <T>(work: () => Promise<T>): Promise<T> => {
    // Messages (cancel, above all) are read here: a pass blocks the event loop.
    await breathe();
    hooks.check(step);
    return work();
  };
  for (const [i, window] of windows.entries()) {
    if (!guided && help.takes(i)) continue;
    // A partner that has come meanwhile is seen, and what it is asked for is on its way before the pass here.
    await breathe();
    help.ask();
    const both = guided && !help.takes(i);
    const { cond, uncond } = await here(() => predictor.predict(passOf(window), both));
    done.cond[i] = cond;
    if (uncond) done.uncond[i] = uncond;
  }
  // Put together while a partner is still at its part.
  const cond = guided ? joinWindows(steps, done.cond, windows, "first cond") : undefined;
  for (const [i, answer] of help.answers()) {
    const again = () => here(() => predictor.predictPart(passOf(windows[i] ?? []), help.part));
    done[help.part][i] = (await answer) ?? (await again());
  }
  if (!cond) return joinWindows(steps, done.cond, windows, "first cond");
  return guideInPlace(steps, cond, joinWindows(steps, done.uncond, windows, "first uncond"));
}

/**
 * Two steps in one run per window. Inside it, the sample of the second follows from the window's own prediction;
 * where windows overlap, that is an approximation on top of the reuse.
 */
async function predictTwo(steps: StepsToPredict, guided: boolean): Promise<Float32Array[]> {
  const { clip, predictor, state, hooks } = steps;
  const { step } = state;
  const { timesteps } = clip.scheduler;
  const windows = contextWindows(clip.windows, step);
  const passOf = windowPasses(steps);
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
      base: framesOf(steps, base, window, "window base"),
      mix,
    };
    const pair = await predictor.predictTwo?.(passOf(window), next);
    if (pair) pairs.push(pair);
  }
  return ["first", "second"].map((which, i) => {
    const parts = pairs.flatMap((pair) => pair[i] ?? []);
    const conds = parts.map(({ cond }) => cond);
    const unconds = parts.flatMap(({ uncond }) => uncond ?? []);
    const cond = joinWindows(steps, conds, windows, `${which} cond`);
    if (!guided) return cond;
    return guideInPlace(steps, cond, joinWindows(steps, unconds, windows, `${which} uncond`));
  });
}

/** What a window's frames are predicted from; that of the window before is gone then. */
function windowPasses(steps: StepsToPredict): (window: FrameWindow) => WindowPass {
  const { clip, shape, buffers } = steps;
  const { step, latents } = steps.state;
  const scale = clip.scheduler.inputScales[step] ?? 1;
  const timestep = clip.scheduler.timesteps[step] ?? 0;
  const all = scale === 1 ? latents : scaled(latents, scale, buffers.take("scaled", latents.length));
  return (window) => ({ sample: framesOf(steps, all, window, "window"), shape, window, timestep });
}

/** A window's frames of all, which are those themselves where it is the whole clip. */
function framesOf(
  { shape, buffers }: StepsToPredict,
  all: Float32Array,
  window: FrameWindow,
  purpose: string,
): Float32Array {
  if (isWholeClip(shape, window)) return all;
  const length = latentCount({ ...shape, frames: window.length });
  return gatherFrames(all, shape, window, buffers.take(purpose, length));
}

/** The next step's sample, scaled for the model, as `base + slope · output`: what the sampler's table says. */
function affineStep({ clip, state, noise, buffers }: StepsToPredict): { base: Float32Array; slope: number } {
  const { step, latents, previousX0 } = state;
  const k = clip.scheduler.steps[step];
  if (!k) throw new RangeError(`step ${step} of ${clip.scheduler.steps.length}`);
  const inputScale = clip.scheduler.inputScales[step + 1] ?? 1;
  const own = k.sample + k.x0 * k.x0Sample;
  const base = buffers.take("base", latents.length);
  for (let i = 0; i < base.length; i++) {
    const before = k.previousX0 === 0 ? 0 : k.previousX0 * (previousX0?.[i] ?? 0);
    const fresh = k.noise === 0 ? 0 : k.noise * (noise?.[i] ?? 0);
    base[i] = inputScale * (own * (latents[i] as number) + before + fresh);
  }
  return { base, slope: inputScale * (k.output + k.x0 * k.x0Output) };
}

function joinWindows(
  { shape, buffers }: StepsToPredict,
  parts: readonly Float32Array[],
  windows: readonly FrameWindow[],
  purpose: string,
): Float32Array {
  return mergeWindows(parts, windows, shape, (length) => buffers.take(purpose, length));
}

/** The guided prediction, in the place of the unguided one. */
function guideInPlace({ clip }: StepsToPredict, cond: Float32Array, uncond: Float32Array): Float32Array {
  return guide(uncond, cond, clip.guidanceScale, clip.guidanceRescale, uncond);
}

import type { PackManifest, Warning } from "@cartoon/protos";
import {
  changesNoiseSchedule,
  createScheduler,
  presetConfig,
  type Scheduler,
} from "../../schedulers/index.ts";
import type { LoadedCast } from "./cast.ts";
import { addTriggers, type ChosenCharacter, chooseCharacters } from "./characters.ts";
import { type ClipSettings, MOST_FRAMES } from "./types.ts";
import type { WindowPlan } from "./windows.ts";

/** A clip with every open point settled for one pack. */
export interface ResolvedClip {
  prompt: string;
  /** Absent when it was not given at all, which is not the same as empty. */
  negativePrompt: string | undefined;
  travel: { frame: number; prompt: string }[];
  characters: ChosenCharacter[];
  width: number;
  height: number;
  fps: number;
  seed: number;
  scheduler: Scheduler;
  schedulerName: string;
  guidanceScale: number;
  guidanceRescale: number;
  clipSkip: number;
  blend: "equal" | "regional";
  quality: "full" | "fast";
  windows: WindowPlan;
  warnings: Warning[];
  /** LoRAs that came with the request. */
  cast?: LoadedCast;
}

/**
 * Settles what the clip leaves open and what the pack cannot do, each change with a warning.
 * @param schedulerJson the pack's scheduler_config.json
 * @param motionFrames frames that the motion modules take in one pass
 * @throws Error naming the field that cannot be met
 */
export function resolveClip(
  clip: ClipSettings,
  pack: PackManifest,
  schedulerJson: unknown,
  motionFrames: number,
): ResolvedClip {
  const { picture } = pack;
  if (!picture) throw new Error(`pack: "${pack.name}" draws no pictures`);
  const warnings: Warning[] = [];
  const characters = chooseCharacters(pack.characters, clip.characters, clip.prompt);
  const trigger = addTriggers(clip.prompt, characters);
  const travel = (clip.prompt_travel ?? []).map(({ frame, prompt }) => {
    const named = addTriggers(prompt, characters);
    return { frame, prompt: named.prompt };
  });
  warnings.push(...trigger.warnings);
  const [width, height] = chooseSize(picture, clip, warnings);
  const frameLimits = clip.extended ? { ...picture.frames, max: MOST_FRAMES } : picture.frames;
  const frames = clamp("num_frames", clip.num_frames ?? picture.frames.default, frameLimits, warnings);
  const steps = clamp(
    "num_inference_steps",
    clip.num_inference_steps ?? picture.steps.default,
    { min: 1, max: picture.steps.max },
    warnings,
  );
  const schedulerName = clip.scheduler || picture.scheduler_preset;
  if (changesNoiseSchedule(schedulerJson, schedulerName)) {
    const rule = "this preset samples on another noise schedule than the pack was trained on";
    warnings.push({ field: "scheduler", given: schedulerName, used: schedulerName, rule });
  }
  return {
    prompt: trigger.prompt,
    negativePrompt: clip.negative_prompt,
    travel: travel.filter(({ frame }) => frame < frames).sort((a, b) => a.frame - b.frame),
    characters,
    width,
    height,
    fps: clip.fps ?? picture.fps.default,
    seed: clip.seed,
    scheduler: createScheduler(presetConfig(schedulerJson, schedulerName), steps),
    schedulerName,
    guidanceScale: clip.guidance_scale ?? picture.guidance_scale.default,
    guidanceRescale: clip.guidance_rescale ?? 0,
    clipSkip: clip.clip_skip ?? 0,
    blend: clip.blend ?? "equal",
    quality: clip.quality ?? "full",
    windows: planWindows(clip, picture, frames, motionFrames, warnings),
    warnings,
  };
}

type Picture = NonNullable<PackManifest["picture"]>;

/** The pack's own size nearest in shape, then in area. */
function chooseSize(picture: Picture, clip: ClipSettings, warnings: Warning[]): [number, number] {
  const width = clip.width ?? picture.native.width;
  const height = clip.height ?? picture.native.height;
  const sizes: [number, number][] = [[picture.native.width, picture.native.height], ...picture.sizes];
  const distance = ([w, h]: [number, number]) =>
    4 * Math.abs(Math.log((w / h) * (height / width))) + Math.abs(Math.log((w * h) / (width * height)));
  const best = sizes.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  if (best[0] !== width || best[1] !== height)
    warnings.push({
      field: "width,height",
      given: `${width}x${height}`,
      used: `${best[0]}x${best[1]}`,
      rule: `drawn at the nearest size of the pack: ${sizes
        .slice(1)
        .map(([w, h]) => `${w}x${h}`)
        .join(", ")}`,
    });
  return best;
}

function planWindows(
  clip: ClipSettings,
  picture: Picture,
  frames: number,
  motionFrames: number,
  warnings: Warning[],
): WindowPlan {
  const asked = clip.context?.window || picture.frames.window;
  const window = clamp("context.window", asked, { min: 1, max: motionFrames }, warnings);
  const overlap = clip.context?.overlap ?? picture.frames.overlap;
  return {
    frames,
    window,
    overlap: clamp("context.overlap", overlap, { min: 0, max: window - 1 }, warnings),
    schedule: clip.context?.schedule ?? "static",
    loop: clip.loop ?? false,
  };
}

function clamp(
  field: string,
  given: number,
  limits: { min: number; max: number },
  warnings: Warning[],
): number {
  const used = Math.min(limits.max, Math.max(limits.min, given));
  if (used !== given) {
    const rule = `the pack takes ${limits.min} to ${limits.max}`;
    warnings.push({ field, given: String(given), used: String(used), rule });
  }
  return used;
}

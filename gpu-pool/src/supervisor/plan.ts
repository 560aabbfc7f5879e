import type { ClipSpec, PackManifest, RenderSpec, SpeechSpec, Warning } from "@cartoon/protos";
import { SpecError } from "./spec-from-wire.ts";

/** A render within the limits of its pack. */
export interface Plan {
  /** At the size that the pack draws. */
  clip?: ClipSpec;
  speech?: SpeechSpec;
  /** Size of the result in pixels, even numbers; absent when nothing is drawn. */
  size?: { width: number; height: number };
  /** Draw as many frames as the dialogue lasts. */
  extend: boolean;
  warnings: Warning[];
}

// Guidance and temperature mean different things to models of different size. Up to this multiple of the
// pack's default a request is taken as it is; beyond it pictures burn out and speech falls apart.
const GUIDANCE_HEADROOM = 1.6;
const TEMPERATURE_HEADROOM = 1.25;

/**
 * Maps what a pack cannot do to what it can, never silently: its own size (the result is scaled), its number of
 * frames and steps, its ranges of guidance, temperature and tokens.
 * @throws SpecError for what has no sensible substitute, such as an unknown character
 */
export function planRender(spec: RenderSpec, manifest: PackManifest): Plan {
  const warnings: Warning[] = [];
  const change = changer(manifest.name, warnings);
  return {
    clip: spec.clip ? planClip(spec.clip, manifest, change) : undefined,
    speech: spec.speech ? planSpeech(spec.speech, manifest, change) : undefined,
    size: spec.clip ? evenSize(spec.clip, change) : undefined,
    extend: spec.output.fit === "extend" && Boolean(spec.clip && spec.speech),
    warnings,
  };
}

/**
 * A clip for the pack that stands in for another: within its limits, without the characters it does not have, and
 * with its own guidance, steps and sampler where the clip has what the other pack does by itself.
 */
export function planSubstitute(
  clip: ClipSpec,
  manifest: PackManifest,
  wanted: PackManifest,
): { clip: ClipSpec; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const change = changer(manifest.name, warnings);
  const known = new Set(manifest.characters.map(({ name }) => name));
  const names = (characters: ClipSpec["characters"]) =>
    characters.map(({ name }) => name).join(", ") || "none";
  const characters = clip.characters.filter(({ name }) => known.has(name));
  change("clip.characters", names(clip.characters), names(characters), "does not have the others");
  const { picture } = manifest;
  const own = wanted.picture;
  const guidance_scale =
    picture && clip.guidance_scale === own?.guidance_scale.default
      ? picture.guidance_scale.default
      : clip.guidance_scale;
  const num_inference_steps =
    picture && clip.num_inference_steps === own?.steps.default
      ? picture.steps.default
      : clip.num_inference_steps;
  const scheduler = clip.scheduler === own?.scheduler_preset ? "" : clip.scheduler;
  const asked = { ...clip, characters, guidance_scale, num_inference_steps, scheduler };
  return { clip: planClip(asked, manifest, change), warnings };
}

type Change = <T extends number | string>(field: string, given: T, used: T, rule: string) => T;

function changer(pack: string, warnings: Warning[]): Change {
  return (field, given, used, rule) => {
    if (given !== used) {
      warnings.push({ field, given: String(given), used: String(used), rule: `pack "${pack}" ${rule}` });
    }
    return used;
  };
}

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));
const round2 = (value: number): number => Math.round(value * 100) / 100;

const PLACE_FOLLOWS = "(?!\\s+(?:in|on|at|under|among|near|over|through|across|by)\\b)";

/** The prompt with the pack's words for phrases that it takes amiss; where a place follows, it gets that right. */
function inItsWords(prompt: string, phrases: Readonly<Record<string, string>> = {}): string {
  return Object.entries(phrases).reduce(
    (text, [phrase, words]) => text.replace(new RegExp(`\\b${phrase}\\b${PLACE_FOLLOWS}`, "gi"), words),
    prompt,
  );
}

function planClip(clip: ClipSpec, manifest: PackManifest, change: Change): ClipSpec {
  const { picture, name } = manifest;
  if (!picture) throw new SpecError(`clip: pack "${name}" does not draw`);
  checkCharacters(clip, manifest);
  const { frames, steps, guidance_scale: guidance } = picture;
  const [width, height] = nearestSize(clip, picture);
  change(
    "clip.size",
    `${clip.width}x${clip.height}`,
    `${width}x${height}`,
    "draws at its own size; the result is scaled",
  );
  const most = round2(guidance.default * GUIDANCE_HEADROOM);
  return {
    ...clip,
    prompt: change(
      "clip.prompt",
      clip.prompt,
      inItsWords(clip.prompt, picture.phrases),
      "reads some phrases in its own words",
    ),
    width,
    height,
    num_frames: change(
      "clip.num_frames",
      clip.num_frames,
      clamp(clip.num_frames, frames.min, frames.max),
      `draws ${frames.min} to ${frames.max} frames`,
    ),
    num_inference_steps: change(
      "clip.num_inference_steps",
      clip.num_inference_steps,
      Math.min(clip.num_inference_steps, steps.max),
      `takes at most ${steps.max} steps`,
    ),
    guidance_scale: change(
      "clip.guidance_scale",
      clip.guidance_scale,
      Math.min(clip.guidance_scale, most),
      `takes guidance up to ${most}`,
    ),
  };
}

function checkCharacters(clip: ClipSpec, { characters, name }: PackManifest): void {
  const known = characters.map((character) => character.name);
  const unknown = clip.characters.find((character) => !known.includes(character.name));
  if (unknown) {
    throw new SpecError(
      `clip.characters: pack "${name}" has no character "${unknown.name}"; it has ${known.join(", ") || "none"}`,
    );
  }
}

/** Of the sizes that the pack draws, the asked one or the one of the nearest shape, then the nearest area. */
function nearestSize(
  { width, height }: ClipSpec,
  { sizes, native }: NonNullable<PackManifest["picture"]>,
): [number, number] {
  const all = sizes.length > 0 ? sizes : [[native.width, native.height] as [number, number]];
  const shape = Math.log(width / height);
  const area = Math.log(width * height);
  const distance = ([w, h]: [number, number]) =>
    Math.abs(Math.log(w / h) - shape) * 10 + Math.abs(Math.log(w * h) - area);
  const [best] = all.toSorted((a, b) => distance(a) - distance(b));
  return best ?? [native.width, native.height];
}

function evenSize({ width, height }: ClipSpec, change: Change): { width: number; height: number } {
  const even = (value: number) => value - (value % 2);
  const rule = "writes H.264 with 4:2:0 colour, which takes even sizes";
  return {
    width: change("clip.width", width, even(width), rule),
    height: change("clip.height", height, even(height), rule),
  };
}

function planSpeech(speech: SpeechSpec, { voice, name }: PackManifest, change: Change): SpeechSpec {
  if (!voice) throw new SpecError(`speech: pack "${name}" does not speak`);
  const guidance = round2(voice.guidance_scale.default * GUIDANCE_HEADROOM);
  const temperature = round2(voice.temperature.default * TEMPERATURE_HEADROOM);
  return {
    ...speech,
    guidance_scale: change(
      "speech.guidance_scale",
      speech.guidance_scale,
      Math.min(speech.guidance_scale, guidance),
      `takes guidance up to ${guidance}`,
    ),
    temperature: change(
      "speech.temperature",
      speech.temperature,
      Math.min(speech.temperature, temperature),
      `takes temperatures up to ${temperature}`,
    ),
  };
}

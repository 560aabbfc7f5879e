import { randomInt } from "node:crypto";
import {
  type ClipSpec,
  type OutputSpec,
  type PackManifest,
  type RegisteredCharacter,
  RenderSpec,
  type SpeechSpec,
  type Warning,
} from "@cartoon/protos";
import { DialogueError, parseDialogue } from "@cartoon/protos/dialogue/parse";
import { pointerTo, validationError } from "../errors/from-zod.ts";
import { ApiError } from "../errors/table.ts";
import type { CharacterChoice, RenderRequest } from "./request.ts";

/** Random seeds stay in v5's range, short enough to read out; any seed up to 2^53 - 1 may be given. */
const RANDOM_SEEDS = 1_000_001;

export const randomSeed = () => randomInt(RANDOM_SEEDS);

export interface BuiltSpec {
  spec: RenderSpec;
  warnings: Warning[];
}

export interface KnownCharacter {
  name: string;
  label: string;
  triggers: string[];
  weight: number;
  pair_weight: number;
}

/** A registered character beside those of the pack. */
export const asKnown = (character: RegisteredCharacter): KnownCharacter => ({
  name: character.name,
  label: character.label,
  triggers: character.triggers,
  weight: character.weight,
  pair_weight: character.weight / 2,
});

const refuse = (path: readonly PropertyKey[], detail: string) =>
  new ApiError("validation_failed", `${pointerTo(path)}: ${detail}`, {
    errors: [{ detail, pointer: pointerTo(path) }],
  });

// The same thing may be said on top or inside; saying it twice is refused, so that no value is dropped.
function either<T>(
  request: RenderRequest,
  field: keyof RenderRequest,
  inner: T | undefined,
  where: string[],
) {
  const outer = request[field] as T | undefined;
  if (outer !== undefined && inner !== undefined)
    throw refuse([field], `given twice: here and at ${pointerTo(where)}`);
  return outer ?? inner;
}

function mentioned(known: readonly KnownCharacter[], text: string): string[] {
  const words = new Set(text.toLowerCase().match(/[\p{L}\p{N}_-]+/gu) ?? []);
  return known
    .filter((one) => [one.name, one.label, ...one.triggers].some((word) => words.has(word.toLowerCase())))
    .map((one) => one.name);
}

/** Characters with weights. Without any, those that the prompt names; without those, the pack's first. */
export function chooseCharacters(
  choice: readonly CharacterChoice[] | undefined,
  known: readonly KnownCharacter[],
  prompt: string,
  path: readonly PropertyKey[],
): ClipSpec["characters"] {
  const named = mentioned(known, prompt);
  const wanted = choice ?? (named.length > 0 ? named : known.slice(0, 1).map((one) => one.name));
  const seen = new Set<string>();
  return wanted.map((one, index) => {
    const name = typeof one === "string" ? one : one.name;
    const character = known.find((candidate) => candidate.name === name);
    if (!character) {
      const allowed = known.map((candidate) => candidate.name).join(", ") || "none";
      throw refuse([...path, index], `there is no character "${name}"; known: ${allowed}`);
    }
    if (seen.has(name)) throw refuse([...path, index], `"${name}" is given twice`);
    seen.add(name);
    const weight = wanted.length > 1 ? character.pair_weight : character.weight;
    return typeof one === "string" ? { name, weight } : one;
  });
}

function speechLines(
  request: RenderRequest,
  known: readonly KnownCharacter[],
  cast: readonly string[],
  warnings: Warning[],
): SpeechSpec["lines"] | undefined {
  const script = either(request, "dialogue", request.speech?.lines, ["speech", "lines"]);
  if (typeof script !== "string") return script as SpeechSpec["lines"] | undefined;
  try {
    const dialogue = parseDialogue(script, { characters: known, cast, field: "dialogue" });
    warnings.push(...dialogue.warnings);
    return dialogue.lines;
  } catch (error) {
    if (error instanceof DialogueError) throw refuse(["dialogue"], error.message);
    throw error;
  }
}

function buildClip(
  request: RenderRequest,
  pack: PackManifest,
  known: readonly KnownCharacter[],
  seed: number,
): ClipSpec | undefined {
  const clip = request.clip ?? undefined;
  const prompt = either(request, "prompt", clip?.prompt, ["clip", "prompt"]);
  if (prompt === undefined) {
    if (clip) throw refuse(["prompt"], "a clip needs a prompt");
    return undefined;
  }
  const picture = pack.picture;
  if (!picture) throw refuse(["prompt"], `the pack "${pack.name}" has no picture model`);
  const { characters: inner, ...settings } = clip ?? {};
  const choice = either(request, "characters", inner, ["clip", "characters"]);
  const path = request.characters === undefined ? ["clip", "characters"] : ["characters"];
  const loras = either(request, "loras", clip?.loras, ["clip", "loras"]);
  return {
    width: picture.native.width,
    height: picture.native.height,
    num_frames: picture.frames.default,
    fps: picture.fps.default,
    num_inference_steps: picture.steps.default,
    guidance_scale: picture.guidance_scale.default,
    guidance_rescale: 0,
    scheduler: "",
    seed,
    prompt_travel: [],
    clip_skip: 0,
    loop: false,
    blend: "equal",
    speaker_focus: 0,
    quality: "full",
    ...settings,
    prompt,
    negative_prompt: either(request, "negative_prompt", clip?.negative_prompt, ["clip", "negative_prompt"]),
    characters: chooseCharacters(choice, known, prompt, path),
    ...(loras === undefined || loras.length === 0 ? {} : { loras }),
  };
}

function buildSpeech(
  request: RenderRequest,
  pack: PackManifest,
  known: readonly KnownCharacter[],
  cast: readonly string[],
  seed: number,
  warnings: Warning[],
): SpeechSpec | undefined {
  const lines = speechLines(request, known, cast, warnings);
  if (lines === undefined) {
    if (request.speech) throw refuse(["dialogue"], "speech settings need a dialogue");
    return undefined;
  }
  const voice = pack.voice;
  if (!voice) throw refuse(["dialogue"], `the pack "${pack.name}" has no voice model`);
  return {
    max_new_tokens: voice.max_tokens,
    guidance_scale: voice.guidance_scale.default,
    temperature: voice.temperature.default,
    top_p: voice.top_p.default,
    top_k: voice.top_k.default,
    seed,
    voices: [],
    ...request.speech,
    lines,
  };
}

function buildOutput(request: RenderRequest, hasClip: boolean, hasSpeech: boolean): OutputSpec {
  const formats: OutputSpec["formats"] = hasClip ? ["mp4", "gif", "poster"] : [];
  if (hasSpeech) formats.push("wav");
  return { formats, fit: "pingpong", captions: true, ...request.output };
}

/** The registered characters that are drawn or speak. */
function usedOf(
  added: readonly RegisteredCharacter[],
  cast: readonly string[],
  clip: ClipSpec | undefined,
  speech: SpeechSpec | undefined,
): RegisteredCharacter[] {
  const names = new Set<string>();
  for (const { name } of clip?.characters ?? []) names.add(name);
  for (const { speaker } of speech?.lines ?? []) {
    const tag = /^S(\d{1,3})$/.exec(speaker)?.[1];
    names.add((tag === undefined ? undefined : cast[Number(tag) - 1]) ?? speaker);
  }
  return added.filter(({ name }) => names.has(name));
}

/**
 * The canonical spec of a request, with every default written out, so that the spec alone repeats the render.
 * @throws ApiError `validation_failed` with a pointer to the field
 */
export function buildSpec(
  request: RenderRequest,
  pack: PackManifest,
  registered: readonly RegisteredCharacter[] = [],
): BuiltSpec {
  const warnings: Warning[] = [];
  const own = new Set(pack.characters.map((character) => character.name));
  const added = registered.filter((character) => !own.has(character.name));
  const known = [...pack.characters, ...added.map(asKnown)];
  const seed = request.seed ?? randomSeed();
  const clip = buildClip(request, pack, known, seed);
  const cast =
    clip?.characters.map((character) => character.name) ??
    request.characters?.map((one) => (typeof one === "string" ? one : one.name)) ??
    known.slice(0, 2).map((character) => character.name);
  const speech = buildSpeech(request, pack, known, cast, seed, warnings);
  if (!clip && !speech) throw refuse([], "give a prompt, a dialogue or both");
  if (!clip && request.loras) throw refuse(["loras"], "they need a prompt: nothing is drawn without one");
  const used = usedOf(added, cast, clip, speech);
  const parsed = RenderSpec.safeParse({
    pack: request.pack ?? "",
    clip,
    speech,
    output: buildOutput(request, clip !== undefined, speech !== undefined),
    deterministic: request.deterministic ?? false,
    ...(used.length === 0 ? {} : { registered: used }),
  });
  if (!parsed.success) throw validationError(parsed.error.issues);
  return { spec: parsed.data, warnings };
}

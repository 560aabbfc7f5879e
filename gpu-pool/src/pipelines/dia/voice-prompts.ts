import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { normaliseLoudness } from "../../speech/loudness.ts";
import type { PlanLimits } from "../../speech/plan.ts";
import { readWav, resample, WavError, type WavSound } from "../../speech/read-wav.ts";
import { tidySilence } from "../../speech/tidy.ts";
import { encodeSamples } from "./codec.ts";
import type { Codes } from "./delay-pattern.ts";
import type { DacModel } from "./model.ts";
import type { VoiceSettings } from "./settings.ts";
import type { VoicePack, VoiceReference } from "./types.ts";

/** A character's reference clip as the model takes it. */
export interface VoicePromptCodes {
  readonly codes: Codes;
  readonly transcript: string;
}

const MAX_PROMPT_SECONDS = 12;
/** A few kB each. */
const MAX_KNOWN_CLIPS = 256;

/** A reference clip of the user's cannot be used. */
export class VoiceClipError extends Error {
  override readonly name = "VoiceClipError";
}

/** Encodes the clips that come with requests; one that came before is known, so that its character speaks at once. */
export class ClipCodes {
  readonly #dac: DacModel;
  readonly #known = new Map<string, Codes>();

  constructor(dac: DacModel) {
    this.#dac = dac;
  }

  /** @throws VoiceClipError naming the character: not WAV, nothing to be heard, or too long */
  async encode(reference: VoiceReference): Promise<VoicePromptCodes> {
    const key = createHash("sha256").update(reference.wav).digest("base64");
    const codes = this.#known.get(key) ?? (await encodeReference(this.#dac, reference));
    // The one that was asked for last goes last.
    this.#known.delete(key);
    this.#known.set(key, codes);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN_CLIPS && oldest !== undefined) this.#known.delete(oldest);
    return { codes, transcript: reference.transcript.trim() };
  }
}

/** Mono, at the codec's rate, silence trimmed, at the loudness of speech. */
async function encodeReference(dac: DacModel, reference: VoiceReference): Promise<Codes> {
  const where = `voice of ${reference.character}`;
  const { samples, sampleRate } = readClip(reference.wav, where);
  const rate = dac.config.sampleRate;
  const tidied = tidySilence(resample(samples, sampleRate, rate), rate, {
    leadSeconds: 0.02,
    tailSeconds: 0.1,
    pauseSeconds: 0.5,
  }).samples;
  const seconds = tidied.length / rate;
  if (seconds < 0.5) throw new VoiceClipError(`${where}: the clip holds less than half a second of speech`);
  if (seconds > MAX_PROMPT_SECONDS) {
    throw new VoiceClipError(
      `${where}: the clip has ${seconds.toFixed(1)} s of speech; at most ${MAX_PROMPT_SECONDS} s are used well`,
    );
  }
  return await encodeSamples(dac, normaliseLoudness(tidied, rate));
}

function readClip(wav: Uint8Array, where: string): WavSound {
  try {
    return readWav(wav);
  } catch (error) {
    if (error instanceof WavError) throw new VoiceClipError(`${where}: ${error.message}`);
    throw error;
  }
}

/** Encodes a pack's own clip as it is: it was made for the model, level and pauses included. */
export async function encodePackReference(
  dac: DacModel,
  reference: VoiceReference,
): Promise<VoicePromptCodes> {
  const { samples, sampleRate } = readWav(reference.wav);
  const codes = await encodeSamples(dac, resample(samples, sampleRate, dac.config.sampleRate));
  return { codes, transcript: reference.transcript.trim() };
}

/** How much longer than expected a chunk may get. */
const SLACK = 1.3;
const bytesOf = (text: string) => new TextEncoder().encode(text).length + 3;
const wordsOf = (text: string) => text.split(" ").length + 1;

/**
 * What a chunk may hold beside the reference clips of its two voices, which take the model's frames and text too.
 * @param prompts of everyone who speaks; any two of them may meet
 * @throws VoiceClipError when nothing is left
 */
export function limitsBeside(
  { limits, maxFrames, frameRate }: Pick<VoiceSettings, "limits" | "maxFrames" | "frameRate">,
  prompts: readonly VoicePromptCodes[],
): PlanLimits {
  if (prompts.length === 0) return limits;
  const voices = limits.maxLines === 1 ? 1 : 2;
  const taken = (size: (prompt: VoicePromptCodes) => number) =>
    prompts
      .map(size)
      .sort((a, b) => b - a)
      .slice(0, voices)
      .reduce((sum, one) => sum + one, 0);
  const left = (all: number | undefined, size: (prompt: VoicePromptCodes) => number) =>
    all === undefined ? undefined : all - taken(size);
  const maxBytes = left(limits.maxBytes, ({ transcript }) => bytesOf(transcript));
  const maxWords = left(limits.maxWords, ({ transcript }) => wordsOf(transcript));
  const seconds = (maxFrames - taken(({ codes }) => codes.length)) / frameRate / SLACK;
  if ((maxBytes ?? LEAST_BYTES) < LEAST_BYTES || (maxWords ?? LEAST_WORDS) < LEAST_WORDS || seconds < 0.2)
    throw new VoiceClipError(
      "the reference clips or their transcripts are too long for this model: they leave it no room to speak",
    );
  return {
    ...limits,
    maxSeconds: Math.min(limits.maxSeconds, seconds),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxWords === undefined ? {} : { maxWords }),
  };
}
const LEAST_BYTES = 16;
const LEAST_WORDS = 4;

/** The clips that a pack pins its characters' voices with. */
export async function packReferences(pack: VoicePack): Promise<VoiceReference[]> {
  const references: VoiceReference[] = [];
  for (const { name, voice } of pack.manifest.characters) {
    if (voice.audio === undefined || voice.transcript === undefined) continue;
    const wav = await readFile(join(pack.dir, voice.audio));
    const isFile = voice.transcript.endsWith(".txt");
    const transcript = isFile ? await readFile(join(pack.dir, voice.transcript), "utf8") : voice.transcript;
    references.push({ character: name, wav, transcript });
  }
  return references;
}

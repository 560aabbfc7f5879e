import type { SpeechSpec, Warning } from "@cartoon/protos/render-spec";
import { normaliseParts } from "../../speech/loudness.ts";
import { MOUTH_RATE, mouthTrack } from "../../speech/mouth.ts";
import { normaliseLine } from "../../speech/normalise.ts";
import { type PlanLimits, type PlanLine, type PlannedChunk, planChunks } from "../../speech/plan.ts";
import { cueWarning, linesField, planWarnings } from "../../speech/plan-warnings.ts";
import { assignSpeakers, type Speaker } from "../../speech/voices.ts";
import { Assembly, joinParts, type PlacedSegment } from "./assemble.ts";
import type { GenerationQueue } from "./generation-queue.ts";
import { Listener } from "./listener.ts";
import { type ChunkClock, chunksInTurn, type MadeChunk } from "./make-chunk.ts";
import type { DacModel, DiaModel } from "./model.ts";
import type { SeedVoices } from "./seed-voices.ts";
import type { VoiceSettings } from "./settings.ts";
import type { SpeakOptions, Speech, SpokenLine, VoicePack } from "./types.ts";
import { type ClipCodes, limitsBeside, type VoicePromptCodes } from "./voice-prompts.ts";

/** Chunks made together after the first one, which is made alone so that it can soon be heard. */
export const BATCH = { cpu: 4, cuda: 8 } as const;

export interface SpeakerSetup {
  readonly pack: VoicePack;
  readonly dia: DiaModel;
  readonly queue: GenerationQueue;
  readonly dac: DacModel;
  readonly settings: VoiceSettings;
  /** The pack's own reference clips, encoded. */
  readonly packPrompts: ReadonlyMap<string, VoicePromptCodes>;
  readonly clips: ClipCodes;
  readonly seedVoices: SeedVoices;
}

/** Speaks a dialogue. See {@link Speech} for what comes back. */
export async function speak(
  setup: SpeakerSetup,
  speech: SpeechSpec,
  options: SpeakOptions = {},
): Promise<Speech> {
  const started = performance.now();
  const { settings } = setup;
  const warnings: Warning[] = [];
  const characters = [...setup.pack.manifest.characters, ...(options.characters ?? [])];
  const speakers = assignSpeakers(speech.lines, {
    characters,
    speakers: settings.speakers,
    cast: options.cast ?? [],
  });
  const prompts = await voicePrompts(setup, options, warnings);
  const heard = new Set(speakers.map(({ character }) => character));
  const speaking = characters.filter(({ name }) => heard.has(name));
  await setup.seedVoices.add(prompts, speaking, warnings, options.signal);
  const spoken = speaking.flatMap(({ name }) => prompts.get(name) ?? []);
  const chunks = plan(setup, limitsBeside(settings, spoken), speech, speakers, warnings);
  const encodeSeconds = (performance.now() - started) / 1000;
  const clock: ChunkClock = { generateSeconds: 0, codecSeconds: 0, frames: 0, retries: 0 };
  const assembly = await speakChunks(setup, { speech, chunks, prompts, clock, warnings }, options);
  const samples = joinParts(await normaliseParts(assembly.parts, settings.sampleRate, options.signal));
  return {
    samples,
    sampleRate: settings.sampleRate,
    lines: spokenLines(speech, speakers, assembly.segments),
    mouth: { rate: MOUTH_RATE, levels: mouthTrack(samples, settings.sampleRate) },
    warnings,
    timings: {
      encodeSeconds,
      decodeSeconds: clock.generateSeconds,
      codecSeconds: clock.codecSeconds,
      totalSeconds: (performance.now() - started) / 1000,
      frames: clock.frames,
      retries: clock.retries,
    },
  };
}

/** The pack's clips, and those of the request in their place. */
async function voicePrompts(
  { packPrompts, dac, settings, clips }: SpeakerSetup,
  { references = [], signal }: SpeakOptions,
  warnings: Warning[],
): Promise<Map<string, VoicePromptCodes>> {
  const prompts = new Map(packPrompts);
  for (const reference of references) {
    signal?.throwIfAborted();
    if (!dac.canEncode) {
      const rule = "the codec of this pack has no encoder, so that no clip can become a voice";
      const field = `speech.voices.${reference.character}`;
      warnings.push({ field, given: "a reference clip", used: "the voice that the model has", rule });
      continue;
    }
    const encoded = await clips.encode(reference);
    prompts.set(reference.character, { ...encoded, transcript: modelText(settings, encoded.transcript) });
  }
  return prompts;
}

interface Dialogue {
  readonly speech: SpeechSpec;
  readonly chunks: readonly PlannedChunk[];
  readonly prompts: ReadonlyMap<string, VoicePromptCodes>;
  readonly clock: ChunkClock;
  readonly warnings: Warning[];
}

/** Makes the chunks, the first one alone and then several at a time, and puts them together. */
async function speakChunks(
  { dia, dac, queue, settings }: SpeakerSetup,
  { speech, chunks, prompts, clock, warnings }: Dialogue,
  options: SpeakOptions,
): Promise<Assembly> {
  const { sampleRate, frameRate } = settings;
  const { signal, deterministic: alone } = options;
  const assembly = new Assembly(sampleRate, frameRate);
  const progress = new Progress(chunks, options);
  const listener = options.onAudio && new Listener({ dia, dac, signal }, options.onAudio, chunks.length);
  const together = BATCH[dia.target.dtype === "float16" ? "cuda" : "cpu"];
  for (let at = 0; at < chunks.length; ) {
    const batch = samePrompts(chunks.slice(at, at === 0 ? 1 : at + together), prompts);
    const onFrames = (frames: number) => progress.report(batch, frames / frameRate);
    const early = at === 0 ? listener?.early : undefined;
    const context = { dia, queue, dac, settings, speech, prompts, signal, alone, clock, onFrames, early };
    let next = at;
    for await (const result of chunksInTurn(context, batch)) {
      const chunk = chunks[next];
      if (!chunk) throw new Error(`chunk ${next} was not asked for`);
      warnings.push(...chunkWarnings(speech, chunk, result));
      const added = assembly.add(chunk, result);
      await listener?.finished(next, added, result.attempt);
      next += 1;
    }
    at = next;
    await progress.finish(at, assembly.seconds);
  }
  return assembly;
}

/** Text in the form that the model was trained on; a line's own speaker tags are marks, not words. */
export function modelText(settings: VoiceSettings, text: string): string {
  const untagged = text
    .replace(/\[\s*S\d{1,3}\s*\]/giu, " ")
    .replace(/\s+/gu, " ")
    .trim();
  return settings.normalise ? normaliseLine(untagged) : untagged;
}

function plan(
  { settings }: SpeakerSetup,
  limits: PlanLimits,
  speech: SpeechSpec,
  speakers: readonly Speaker[],
  warnings: Warning[],
): PlannedChunk[] {
  const lines: PlanLine[] = speech.lines.map(({ text }, i) => {
    const speaker = speakers[i];
    if (!speaker) throw new Error(`line ${i} has no speaker`);
    const spoken = modelText(settings, text);
    if (spoken === "") {
      const rule = "the line holds nothing that this voice can say; it is left out";
      warnings.push({ field: `speech.lines[${i}].text`, given: text.slice(0, 80), used: "", rule });
    } else if (settings.normalise) warnings.push(...cueWarning(i, text));
    return { text: spoken, character: speaker.character ?? `S${speaker.voice}`, voice: speaker.voice };
  });
  const chunks = planChunks(lines, limits);
  if (chunks.length === 0) throw new Error("speech.lines: there is nothing to say in them");
  warnings.push(...planWarnings(lines, chunks, limits));
  return chunks;
}

/** The longest head of the chunks whose voice prompts have the same length, as one batch needs. */
function samePrompts(
  chunks: readonly PlannedChunk[],
  prompts: ReadonlyMap<string, VoicePromptCodes>,
): PlannedChunk[] {
  const lengthOf = ({ segments }: PlannedChunk) =>
    [...new Set(segments.map(({ character }) => character))].reduce(
      (sum, character) => sum + (prompts.get(character)?.codes.length ?? 0),
      0,
    );
  const [first] = chunks;
  if (!first) return [];
  const end = chunks.findIndex((chunk) => lengthOf(chunk) !== lengthOf(first));
  return chunks.slice(0, end < 0 ? chunks.length : end);
}

function chunkWarnings(speech: SpeechSpec, chunk: PlannedChunk, made: MadeChunk): Warning[] {
  if (made.firstFailures.length === 0) return [];
  const field = linesField(chunk);
  const solved = made.failures.length === 0;
  const again = made.lostClip ? "spoken again without the reference clip" : "spoken again with another seed";
  const outcome = solved ? again : "the best attempt was kept";
  return [
    {
      field,
      given: speech.lines[chunk.segments[0]?.line ?? 0]?.text.slice(0, 80) ?? "",
      used: `${outcome} (${made.retries} more ${made.retries === 1 ? "attempt" : "attempts"})`,
      rule: `the voice went wrong: ${(solved ? made.firstFailures : made.failures).join(", ")}`,
    },
  ];
}

function spokenLines(
  speech: SpeechSpec,
  speakers: readonly Speaker[],
  segments: readonly PlacedSegment[],
): SpokenLine[] {
  return speech.lines.flatMap(({ text }, line) => {
    const own = segments.filter((segment) => segment.line === line);
    const [first] = own;
    if (!first) return [];
    const end = own.at(-1)?.end ?? first.end;
    const character = speakers[line]?.character ?? null;
    return [{ speaker: `S${first.voice}`, character, text, start: first.start, end }];
  });
}

/** Progress in seconds of speech, with what is to come estimated from the text. */
class Progress {
  readonly #chunks: readonly PlannedChunk[];
  readonly #options: SpeakOptions;
  #done = 0;
  #chunk = 0;
  #told = 0;

  constructor(chunks: readonly PlannedChunk[], options: SpeakOptions) {
    this.#chunks = chunks;
    this.#options = options;
  }

  #expected(from: number): number {
    return this.#chunks.slice(from).reduce((sum, { seconds }) => sum + seconds, 0);
  }

  /** @param seconds how much of the batch's speech there is; no more is believed than the text tells, until it is done */
  report(batch: readonly PlannedChunk[], seconds: number): Promise<void> {
    const most = 0.99 * batch.reduce((sum, chunk) => sum + chunk.seconds, 0);
    return this.#tell(this.#done + Math.min(seconds, most));
  }

  async #tell(seconds: number): Promise<void> {
    // Silence that is cut from a finished chunk does not take back what was told.
    const made = Math.max(this.#told, seconds);
    this.#told = made;
    await this.#options.onProgress?.({
      seconds: made,
      expectedSeconds: Math.max(made, this.#done + this.#expected(this.#chunk)),
      chunk: this.#chunk,
      chunks: this.#chunks.length,
    });
  }

  /** @param made seconds of speech that are finished */
  async finish(next: number, made: number): Promise<void> {
    this.#done = made;
    this.#chunk = next;
    if (next === this.#chunks.length) this.#told = made;
    await this.#tell(made);
  }
}

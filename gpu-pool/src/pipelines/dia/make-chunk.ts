import type { SpeechSpec } from "@cartoon/protos/render-spec";
import { encodeText, type Segment } from "../../speech/encode-text.ts";
import { findFailures, type SpeechFailure } from "../../speech/failures.ts";
import type { PlannedChunk } from "../../speech/plan.ts";
import { decodeCodes } from "./codec.ts";
import { type Codes, undelay } from "./delay-pattern.ts";
import { type Generation, type GenerationRequest, generate } from "./generate.ts";
import type { DacModel, DiaModel } from "./model.ts";
import type { VoiceSettings } from "./settings.ts";
import type { VoicePromptCodes } from "./voice-prompts.ts";

/** How often a chunk that went wrong is made again, with another seed. */
const MAX_RETRIES = 2;

/** Largest seed. */
const SEEDS = 2 ** 53;

export interface ChunkContext {
  readonly dia: DiaModel;
  readonly dac: DacModel;
  readonly settings: VoiceSettings;
  readonly speech: Pick<
    SpeechSpec,
    "max_new_tokens" | "guidance_scale" | "temperature" | "top_p" | "top_k" | "seed"
  >;
  /** Reference clips by character. */
  readonly prompts: ReadonlyMap<string, VoicePromptCodes>;
  readonly signal: AbortSignal | undefined;
  readonly clock: ChunkClock;
  readonly onFrames: (frames: number) => void | Promise<void>;
}

/** Seconds and frames spent, added up over chunks. */
export interface ChunkClock {
  generateSeconds: number;
  codecSeconds: number;
  frames: number;
  retries: number;
}

export interface MadeChunk {
  readonly samples: Float32Array;
  /** Attention of each frame to the bytes of the chunk's text; empty without an alignment head. */
  readonly alignment: readonly Float32Array[];
  /** Byte index of each segment's tag. */
  readonly starts: readonly number[];
  /** What is still wrong after the retries. */
  readonly failures: readonly SpeechFailure[];
  readonly retries: number;
  readonly firstFailures: readonly SpeechFailure[];
}

interface PreparedChunk {
  readonly chunk: PlannedChunk;
  readonly request: GenerationRequest;
  readonly starts: readonly number[];
  readonly firstByte: number;
}

/**
 * Speaks several chunks together, then makes those again that went wrong, alone, with derived seeds, at most twice.
 * The best attempt of each is kept.
 */
export async function makeChunks(
  context: ChunkContext,
  chunks: readonly PlannedChunk[],
): Promise<MadeChunk[]> {
  const prepared = chunks.map((chunk) => prepare(context, chunk));
  const first = await speakOnce(context, prepared, 0);
  const made: MadeChunk[] = [];
  for (const [i, chunk] of prepared.entries()) {
    let best = first[i];
    if (!best) throw new Error(`chunk ${i} was not made`);
    const firstFailures = best.failures;
    let retries = 0;
    while (best.failures.length > 0 && retries < MAX_RETRIES) {
      retries += 1;
      context.clock.retries += 1;
      const [again] = await speakOnce(context, [chunk], retries);
      if (again && again.failures.length < best.failures.length) best = again;
    }
    made.push({ ...best, retries, firstFailures });
  }
  return made;
}

function prepare(context: ChunkContext, chunk: PlannedChunk): PreparedChunk {
  const { settings, speech } = context;
  const voices = new Map(chunk.segments.map(({ character, voice }) => [character, voice]));
  const spoken: Segment[] = [];
  const prompt: Codes[number][] = [];
  for (const [character, voice] of voices) {
    const reference = context.prompts.get(character);
    if (!reference) continue;
    spoken.push({ voice, text: reference.transcript });
    prompt.push(...reference.codes);
  }
  const { ids, starts } = encodeText([...spoken, ...chunk.segments], settings.spaces);
  const text = settings.normalise ? ids : withClosingTag(ids, chunk.segments);
  const budget = Math.ceil((chunk.seconds * 2 + 1.5) * settings.frameRate);
  const room = settings.maxFrames - prompt.length;
  const frames = Math.max(1, Math.min(budget, speech.max_new_tokens, room));
  return {
    chunk,
    request: { text, prompt, lastRow: prompt.length + 1 + frames, seed: speech.seed },
    starts: starts.slice(spoken.length).map((start) => start - (starts[spoken.length] ?? 0)),
    firstByte: starts[spoken.length] ?? 0,
  };
}

/**
 * Dia-1.6B tends to clip the last word; the tag of the speaker before the last one at the very end prevents
 * it (nari-labs/dia issue 186).
 */
function withClosingTag(ids: Uint8Array, segments: readonly Segment[]): Uint8Array {
  const last = segments.at(-1)?.voice ?? 1;
  const other = segments.findLast(({ voice }) => voice !== last)?.voice ?? last;
  return Uint8Array.from([...ids, 0x20, other]);
}

type Attempted = Omit<MadeChunk, "retries" | "firstFailures">;

async function speakOnce(
  context: ChunkContext,
  chunks: readonly PreparedChunk[],
  attempt: number,
): Promise<Attempted[]> {
  const { dia, speech, signal, clock } = context;
  let started = performance.now();
  const requests = chunks.map(({ request }) => ({ ...request, seed: derivedSeed(request.seed, attempt) }));
  const generations = await generate(dia, requests, {
    sampling: {
      guidanceScale: speech.guidance_scale,
      temperature: speech.temperature,
      topP: speech.top_p,
      topK: Math.min(speech.top_k, dia.config.decoder.vocab_size),
    },
    signal,
    onRows: attempt === 0 ? (rows) => context.onFrames(rows * chunks.length) : undefined,
  });
  clock.generateSeconds += (performance.now() - started) / 1000;
  started = performance.now();
  const attempts: Attempted[] = [];
  for (const [i, generation] of generations.entries()) {
    const chunk = chunks[i];
    if (!chunk) throw new Error(`no chunk ${i}`);
    clock.frames += generation.rows.length;
    attempts.push(await judge(context, chunk, generation));
  }
  clock.codecSeconds += (performance.now() - started) / 1000;
  return attempts;
}

async function judge(
  { dia, dac, settings, signal }: ChunkContext,
  { chunk, starts, firstByte }: PreparedChunk,
  generation: Generation,
): Promise<Attempted> {
  const codes = undelay(dia.config, generation.rows, generation.firstRow, generation.endRow);
  const frames = codes[0]?.length ?? 0;
  const samples = await decodeCodes(dac, codes, signal);
  const alignment = generation.alignment.slice(0, frames).map((weights) => weights.subarray(firstByte));
  const failures = findFailures({
    codes,
    alignment,
    finished: generation.finished,
    samples,
    sampleRate: settings.sampleRate,
    frameRate: settings.frameRate,
    expectedSeconds: chunk.seconds,
  });
  return { samples, alignment, starts, failures };
}

/** Another seed for another attempt, far from those that users pick. */
function derivedSeed(seed: number, attempt: number): number {
  return (seed + attempt * 0x9e3779b97f4a) % SEEDS;
}

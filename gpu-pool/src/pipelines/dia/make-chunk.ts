import type { SpeechSpec } from "@cartoon/protos/render-spec";
import { segmentFrames } from "../../speech/alignment.ts";
import { encodeText, type Segment } from "../../speech/encode-text.ts";
import { type SpeechFailure, soundFailures, tokenFailures } from "../../speech/failures.ts";
import { isOtherVoice } from "../../speech/pitch.ts";
import type { PlannedChunk, PlannedSegment } from "../../speech/plan.ts";
import { withoutStrayEnd } from "../../speech/tidy.ts";
import { decodeCodes } from "./codec.ts";
import { type Codes, undelay } from "./delay-pattern.ts";
import type { EarlySound } from "./early-sound.ts";
import type { Generation, GenerationRequest, OnRows } from "./generate.ts";
import type { GenerationQueue } from "./generation-queue.ts";
import type { DacModel, DiaModel } from "./model.ts";
import { readAttention } from "./read-attention.ts";
import type { VoiceSettings } from "./settings.ts";
import { VoiceClipError, type VoicePromptCodes } from "./voice-prompts.ts";

/** How often a chunk that went wrong is made again, with another seed. */
const MAX_RETRIES = 2;

/** Largest seed. */
const SEEDS = 2 ** 53;

export interface ChunkContext {
  readonly dia: DiaModel;
  readonly queue: GenerationQueue;
  readonly dac: DacModel;
  readonly settings: VoiceSettings;
  readonly speech: Pick<
    SpeechSpec,
    "max_new_tokens" | "guidance_scale" | "temperature" | "top_p" | "top_k" | "seed"
  >;
  /** Reference clips by character. */
  readonly prompts: ReadonlyMap<string, VoicePromptCodes>;
  readonly signal: AbortSignal | undefined;
  /** Never in one batch with dialogues of others. */
  readonly alone?: boolean | undefined;
  readonly clock: ChunkClock;
  readonly onFrames: (frames: number) => void | Promise<void>;
  /** Hears the first attempt of the first of the chunks while it is made. */
  readonly early?: EarlySound | undefined;
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
  /** The attempt that was kept, from 0. */
  readonly attempt: number;
  readonly firstFailures: readonly SpeechFailure[];
  /** Spoken with the model's own voice, because it went wrong after the reference clip. */
  readonly lostClip?: boolean;
}

interface PreparedChunk {
  readonly chunk: PlannedChunk;
  readonly request: GenerationRequest;
  readonly starts: readonly number[];
  readonly firstByte: number;
}

/**
 * Speaks several chunks together, then makes those again that went wrong, alone, with derived seeds, at most twice.
 * The best attempt of each is kept. A model with voices of its own may fall silent after a reference clip: the last
 * attempt goes without it.
 */
export async function makeChunks(
  context: ChunkContext,
  chunks: readonly PlannedChunk[],
): Promise<MadeChunk[]> {
  return Array.fromAsync(chunksInTurn(context, chunks));
}

/** The same, each chunk as soon as it and those before it are right. */
export async function* chunksInTurn(
  context: ChunkContext,
  chunks: readonly PlannedChunk[],
): AsyncGenerator<MadeChunk> {
  const prepared = chunks.map((chunk) => prepare(context, chunk));
  const first = await speakOnce(context, prepared, 0);
  for (const [i, wanted] of prepared.entries()) {
    let chunk = wanted;
    let best = await hear(context, chunk, first[i], false);
    const firstFailures = best.failures;
    let retries = 0;
    let kept = 0;
    while (best.failures.length > 0 && retries < MAX_RETRIES) {
      retries += 1;
      context.clock.retries += 1;
      const attempt = retries === MAX_RETRIES ? withoutClip(context, wanted) : wanted;
      const [again] = await speakOnce(context, [attempt], retries);
      const heard = await hear(context, attempt, again, false);
      if (isBetter(heard.failures, best.failures)) [best, chunk, kept] = [heard, attempt, retries];
    }
    const decoded = best.samples ? best : await hear(context, chunk, best.tokens, true);
    const { samples = new Float32Array(0), tokens, failures } = decoded;
    const alignment = await alignmentOf(context, chunk, tokens);
    const { starts } = chunk;
    const how = { retries, attempt: kept, firstFailures, lostClip: chunk !== wanted };
    yield { samples, alignment, starts, failures, ...how };
  }
}

/** Fewer failures; of as many, whatever says more of the text. */
function isBetter(heard: readonly SpeechFailure[], best: readonly SpeechFailure[]): boolean {
  if (heard.length !== best.length) return heard.length < best.length;
  return best.includes("too short for the text") && !heard.includes("too short for the text");
}

function withoutClip(context: ChunkContext, wanted: PreparedChunk): PreparedChunk {
  const hasOwn = Object.keys(context.settings.speakers).length > 0;
  if (!hasOwn || (wanted.request.prompt?.length ?? 0) === 0) return wanted;
  return prepare({ ...context, prompts: new Map() }, wanted.chunk);
}

function prepare(context: ChunkContext, chunk: PlannedChunk): PreparedChunk {
  const { settings, speech } = context;
  const segments = inOrder(context, chunk.segments);
  const voices = new Map(segments.map(({ character, voice }) => [character, voice]));
  const spoken: Segment[] = [];
  const prompt: Codes[number][] = [];
  for (const [character, voice] of voices) {
    const reference = context.prompts.get(character);
    if (!reference) continue;
    spoken.push({ voice, text: reference.transcript });
    prompt.push(...reference.codes);
  }
  const { spaces } = settings;
  const { ids, starts } = encodeText([...spoken, ...segments], { spaces, alternating: !settings.normalise });
  const text = settings.normalise ? ids : withClosingTag(ids, segments);
  const budget = Math.ceil((chunk.seconds * 2 + 1.5) * settings.frameRate);
  const room = settings.maxFrames - prompt.length;
  if (room < settings.frameRate / 4) {
    const names = [...voices.keys()].filter((name) => context.prompts.has(name)).join(" and ");
    throw new VoiceClipError(
      `the reference clips of ${names} are too long: they leave the model no room to speak`,
    );
  }
  const frames = Math.max(1, Math.min(budget, speech.max_new_tokens, room));
  return {
    chunk,
    request: {
      text,
      prompt,
      lastRow: prompt.length + 1 + frames,
      seed: speech.seed,
      sampling: {
        guidanceScale: speech.guidance_scale,
        temperature: speech.temperature,
        topP: speech.top_p,
        topK: Math.min(speech.top_k, context.dia.config.decoder.vocab_size),
      },
    },
    starts: starts.slice(spoken.length).map((start) => start - (starts[spoken.length] ?? 0)),
    firstByte: starts[spoken.length] ?? 0,
  };
}

/**
 * A model without voices of its own is to begin with `[S1]`: where every character has a reference clip, which says who
 * it is, the first to speak is `[S1]` and the other one `[S2]`.
 */
function inOrder(
  { settings, prompts }: ChunkContext,
  segments: readonly PlannedSegment[],
): readonly PlannedSegment[] {
  const [first] = segments;
  const bound = segments.every(({ character }) => prompts.has(character));
  if (!first || first.voice === 1 || settings.limits.sharedVoices || !bound) return segments;
  return segments.map((segment) => ({ ...segment, voice: segment.voice === 1 ? 2 : 1 }));
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

/** The tokens of one attempt. */
interface Tokens {
  readonly codes: readonly (readonly number[])[];
  readonly alignment: readonly Float32Array[];
  readonly finished: boolean;
  readonly generation: Generation;
}

interface Heard {
  readonly tokens: Tokens;
  /** Absent where the tokens were enough to tell that it went wrong. */
  readonly samples?: Float32Array;
  readonly failures: readonly SpeechFailure[];
}

async function speakOnce(
  context: ChunkContext,
  chunks: readonly PreparedChunk[],
  attempt: number,
): Promise<Tokens[]> {
  const { dia, signal, clock } = context;
  const started = performance.now();
  let early = 0;
  const onRows: OnRows = async (rows, rowsOf) => {
    await context.onFrames(rows * chunks.length);
    const begun = performance.now();
    await context.early?.rows(rowsOf(0));
    early += (performance.now() - begun) / 1000;
  };
  const requests = chunks.map(({ request }) => ({ ...request, seed: derivedSeed(request.seed, attempt) }));
  const generations = await context.queue.generate(requests, {
    signal,
    alone: context.alone,
    onRows: attempt === 0 ? onRows : undefined,
  });
  clock.generateSeconds += (performance.now() - started) / 1000 - early;
  clock.codecSeconds += early;
  return generations.map((generation, i) => {
    const { rows, firstRow, endRow, finished, alignment } = generation;
    clock.frames += rows.length;
    const codes = undelay(dia.config, rows, firstRow, endRow);
    const frames = codes[0]?.length ?? 0;
    const firstByte = chunks[i]?.firstByte ?? 0;
    const own = alignment.slice(0, frames).map((row) => row.subarray(firstByte));
    return { codes, finished, alignment: own, generation };
  });
}

/** The frames' attention to the chunk's own text, read afterwards where the model has no alignment head. */
async function alignmentOf(
  { dia }: ChunkContext,
  { chunk, request, firstByte }: PreparedChunk,
  { alignment, codes, generation }: Tokens,
): Promise<readonly Float32Array[]> {
  if (alignment.length > 0 || !dia.readsPrompt || chunk.segments.length < 2) return alignment;
  const read = await readAttention(dia, request, generation, firstByte);
  return read.slice(0, codes[0]?.length ?? 0).map((row) => row.subarray(firstByte));
}

/** Looks for failures; tokens that already show one are decoded only when they are kept. */
async function hear(
  { dac, settings, signal, clock }: ChunkContext,
  prepared: PreparedChunk,
  tokens: Tokens | undefined,
  keep: boolean,
): Promise<Heard> {
  if (!tokens) throw new Error("a chunk was not made");
  const { frameRate, sampleRate } = settings;
  const { seconds: expectedSeconds } = prepared.chunk;
  const failures = tokenFailures({ ...tokens, frameRate, expectedSeconds });
  if (failures.length > 0 && !keep) return { tokens, failures };
  const started = performance.now();
  const samples = withoutStrayEnd(await decodeCodes(dac, tokens.codes, signal), sampleRate);
  clock.codecSeconds += (performance.now() - started) / 1000;
  failures.push(...soundFailures(samples, sampleRate, expectedSeconds));
  if (speaksAsAnother(settings, prepared, tokens, samples)) failures.push("another voice");
  return { tokens, samples, failures };
}

/** Some segment is spoken by the model's other voice. Those that follow a reference clip have a pitch of their own. */
function speaksAsAnother(
  { pitch, frameRate, sampleRate }: VoiceSettings,
  { chunk: { segments }, request, starts }: PreparedChunk,
  { alignment }: Tokens,
  samples: Float32Array,
): boolean {
  if (!pitch || (request.prompt?.length ?? 0) > 0) return false;
  const known = alignment.length > 0 || segments.length === 1;
  if (!known) return false;
  const borders = alignment.length > 0 ? segmentFrames(alignment, starts) : [0];
  const at = (border: number | undefined) =>
    border === undefined ? samples.length : Math.round((border / frameRate) * sampleRate);
  return segments.some(({ voice }, i) =>
    isOtherVoice(samples.subarray(at(borders[i]), at(borders[i + 1])), sampleRate, voice, pitch),
  );
}

/** Another seed for another attempt, far from those that users pick. */
function derivedSeed(seed: number, attempt: number): number {
  return (seed + attempt * 0x9e3779b97f4a) % SEEDS;
}

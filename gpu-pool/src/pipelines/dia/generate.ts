import { breathe } from "../../breathe.ts";
import type { Outputs } from "../../onnx/session.ts";
import { float32, floatOutput, int64 } from "../../onnx/session.ts";
import { Mt19937 } from "../../random/index.ts";
import { type Codes, forcedRow, promptRows } from "./delay-pattern.ts";
import { type EncodedTexts, encodeTexts } from "./encode-texts.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import type { DiaModel } from "./model.ts";
import { headFeeds, promptRun } from "./prompt-run.ts";

/** How a dialogue is drawn. */
export interface Sampling {
  /** `cond + scale * (cond - uncond)` chooses the candidates; 0 uses the conditional logits alone. */
  readonly guidanceScale: number;
  /** 0 takes the best candidate each time. */
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
}

export interface GenerationRequest {
  /** Text bytes, tags included. */
  readonly text: Uint8Array;
  /** Codes of a voice prompt whose transcript starts the text. */
  readonly prompt?: Codes;
  /** Row at which the speech is ended if it has not ended by itself; row 0 is BOS. */
  readonly lastRow: number;
  /** Noise: torch's MT19937 with this seed, `channels * topK` Gumbel draws a frame … */
  readonly seed: number;
  /** … or, to reproduce a reference, the draws themselves, frame by frame. */
  readonly noise?: Float32Array;
  readonly sampling: Sampling;
}

/** @param rowsOf the rows of tokens of a dialogue so far, by its index among the requests */
export type OnRows = (rows: number, rowsOf: (index: number) => Codes) => void | Promise<void>;

export interface GenerationOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asked before each run; when it is true of every dialogue that still speaks, what there is comes back. */
  readonly unwanted?: (index: number) => boolean;
  /** Called after each run with the most rows any dialogue has. */
  readonly onRows?: OnRows;
  /** Frames of the first run; later ones follow from its time. */
  readonly firstRun?: number;
}

export interface Generation {
  /** Rows of tokens from the one after the prompt to the last of the ending. */
  readonly rows: number[][];
  /** Index of `rows[0]` in the whole sequence. */
  readonly firstRow: number;
  /** Index, in the whole sequence, of the row whose channel 0 ended the speech. */
  readonly endRow: number;
  /** The model ended the speech itself, before `lastRow`. */
  readonly finished: boolean;
  /** Per row, attention to each byte of the text; empty without an alignment head. */
  readonly alignment: Float32Array[];
}

/** Longest run on the CPU and on a GPU: between two runs a cancel is seen. */
const RUN_MILLISECONDS = 120;
const MAX_RUN = 64;
/** The own operator has no plans to keep warm and no keys to send, but each run projects the text anew. */
const NATIVE_RUN = { least: 16, most: 128 };

/**
 * Makes the tokens of one or several dialogues together; each comes out as it would alone.
 * All need the same prompt length and top-k.
 * @throws the signal's reason when it is aborted between two runs
 */
export async function generate(
  model: DiaModel,
  requests: readonly GenerationRequest[],
  options: GenerationOptions = {},
): Promise<Generation[]> {
  const batch = new Batch(model, requests, await encodeTexts(model, requests));
  await batch.open();
  let run = options.firstRun ?? 16;
  while (batch.speaking(options.unwanted)) {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const frames = await batch.run(run);
    await options.onRows?.(batch.rowCount, (index) => batch.rowsOf(index));
    run = nextRun(model, run, frames, performance.now() - started);
    // The event loop gets its turn: a cancel arrives as a message.
    await breathe();
  }
  return requests.map((request, b) => batch.result(request, b));
}

/** Dialogues that are made together: their rows so far and what the next run needs. */
class Batch {
  readonly #model: DiaModel;
  readonly #requests: readonly GenerationRequest[];
  readonly #topK: number;
  readonly #text: EncodedTexts;
  readonly #params: Float32Array;
  readonly #noise: ((frames: number) => Float32Array)[];
  readonly #cache: KeyValueCache;
  readonly #firstRow: number;
  readonly #limit: number;
  readonly #rows: number[][][];
  readonly #alignment: Float32Array[][];
  /** Rows before the next one that the model has not seen yet; the last of them is fed as `tok`. */
  #unseen: number[][][];
  #ending: number[];

  constructor(model: DiaModel, requests: readonly GenerationRequest[], text: EncodedTexts) {
    const { config } = model;
    const prompts = requests.map(({ prompt = [] }) => prompt);
    const promptLength = prompts[0]?.length ?? 0;
    if (prompts.some((p) => p.length !== promptLength)) {
      throw new Error("dialogues of one batch need voice prompts of the same length");
    }
    this.#model = model;
    this.#requests = requests;
    const [topK = 1, ...others] = new Set(requests.map(({ sampling }) => sampling.topK));
    if (others.length > 0) throw new Error("dialogues of one batch need the same top-k");
    this.#topK = topK;
    this.#text = text;
    this.#params = samplingParams(requests.map(({ sampling }) => sampling));
    this.#noise = requests.map((request) => noiseSource(request, config.decoder.num_channels));
    this.#cache = new KeyValueCache(model, requests.length);
    this.#firstRow = promptLength + 1;
    this.#limit = Math.max(...requests.map(({ lastRow }) => lastRow)) + config.maxDelay + 1;
    this.#rows = requests.map(() => []);
    this.#alignment = requests.map(() => []);
    this.#unseen = prompts.map((prompt) => promptRows(config, prompt));
    this.#ending = requests.map(() => -1);
  }

  get rowCount(): number {
    return this.#rows[0]?.length ?? 0;
  }

  rowsOf(index: number): Codes {
    return this.#rows[index] ?? [];
  }

  get #at(): number {
    return this.#firstRow + this.rowCount;
  }

  /** Some dialogue that is still wanted has not ended. */
  speaking(unwanted: (index: number) => boolean = () => false): boolean {
    const { maxDelay } = this.#model.config;
    return this.#at < this.#limit && this.#ending.some((e, index) => e <= maxDelay && !unwanted(index));
  }

  /**
   * Brings several dialogues to the own operator, one after the other: ONNX Runtime's products round otherwise in company,
   * and so each comes out as it would alone, to the bit.
   */
  async open(): Promise<void> {
    const { alone } = this.#text;
    if (!alone) return;
    const past = new KeyValueCache(this.#model, 1, true).feeds;
    for (const [b, rows] of this.#unseen.entries()) {
      await this.#model.decoder.run({
        ...promptRun(this.#model, rows, { past, text: alone[b] }),
        ...headFeeds(this.#model),
        cache: this.#cache.opening(b, alone.length, this.#text.length),
      });
    }
    this.#cache.opened((this.#unseen[0]?.length ?? 1) - 1);
    this.#unseen = this.#unseen.map((rows) => rows.slice(-1));
  }

  /** Makes up to `wanted` frames. @returns how many it asked for */
  async run(wanted: number): Promise<number> {
    const { decoder } = this.#model;
    const channels = this.#model.config.decoder.num_channels;
    const batch = this.#requests.length;
    const frames = Math.min(wanted, this.#limit - this.#at);
    const draws = this.#noise.map((next) => next(frames));
    const promptRowCount = (this.#unseen[0]?.length ?? 1) - 1;
    const outputs = await decoder.run({
      n: int64([frames], []),
      prompt: int64(this.#unseen.flatMap((rows) => rows.slice(0, -1)).flat(), [
        batch,
        promptRowCount,
        channels,
      ]),
      tok: int64(
        this.#unseen.flatMap((rows) => rows.at(-1) ?? []),
        [batch, channels],
      ),
      ending: int64(this.#ending, [batch]),
      ...this.#cache.feeds,
      ...this.#text.feeds,
      forced: int64(this.#forced(frames), [frames, batch, channels]),
      gumbel: float32(interleave(draws, frames), [frames, batch, channels, this.#topK]),
      params: float32(this.#params, [3, batch]),
      ...headFeeds(this.#model),
    });
    this.#keep(outputs, promptRowCount);
    return frames;
  }

  /** Rows that the delay pattern or the length limit decide, frame by frame. */
  #forced(frames: number): number[] {
    const { config } = this.#model;
    return Array.from({ length: frames }, (_, i) =>
      this.#requests.flatMap(({ prompt = [], lastRow }, b) => {
        const row = forcedRow(config, prompt, this.#at + i);
        const cut = this.#at + i === lastRow && (this.#ending[b] ?? 0) < 0;
        return cut ? [config.tokens.eos, ...row.slice(1)] : row;
      }),
    ).flat();
  }

  #keep(outputs: Outputs, promptRowCount: number): void {
    const channels = this.#model.config.decoder.num_channels;
    const batch = this.#requests.length;
    const tokens = Array.from(outputs.tokens?.data ?? [], Number);
    const attended = outputs.alignment ? floatOutput(outputs, "alignment") : undefined;
    const { length } = this.#text;
    for (let i = 0; i < tokens.length / channels; i++) {
      const b = i % batch;
      this.#rows[b]?.push(tokens.slice(i * channels, (i + 1) * channels));
      if (attended) this.#alignment[b]?.push(attended.slice(i * length, (i + 1) * length));
    }
    const made = promptRowCount + tokens.length / channels / batch;
    this.#cache.append(outputs.new_k, outputs.new_v, made);
    this.#ending = Array.from(outputs.ended?.data ?? [], Number);
    this.#unseen = this.#rows.map((rows) => rows.slice(-1));
  }

  result(request: GenerationRequest, b: number): Generation {
    const rows = this.#rows[b] ?? [];
    const { tokens, maxDelay } = this.#model.config;
    const found = rows.findIndex((row) => row[0] === tokens.eos);
    const end = found < 0 ? rows.length : found;
    const length = Math.min(rows.length, end + maxDelay + 1);
    const endRow = this.#firstRow + end;
    return {
      rows: rows.slice(0, length),
      firstRow: this.#firstRow,
      endRow,
      finished: found >= 0 && endRow < request.lastRow,
      // Without the padding of shorter texts, so that it is the same in any company.
      alignment: (this.#alignment[b] ?? [])
        .slice(0, length)
        .map((row) => row.subarray(0, request.text.length)),
    };
  }
}

/** `params` of the decoder: guidance scale, 1 / temperature and top-p for each dialogue. */
function samplingParams(samplings: readonly Sampling[]): Float32Array {
  // Temperature 0 comes without noise, so that any scale gives the best candidate.
  const inverse = (temperature: number) => (temperature === 0 ? 1 : 1 / temperature);
  return Float32Array.from([
    ...samplings.map(({ guidanceScale }) => guidanceScale),
    ...samplings.map(({ temperature }) => inverse(temperature)),
    ...samplings.map(({ topP }) => topP),
  ]);
}

function nextRun(model: DiaModel, run: number, frames: number, milliseconds: number): number {
  const affordable = Math.floor((frames * RUN_MILLISECONDS) / Math.max(milliseconds, 1));
  if (model.nativeLoop) {
    const { least, most } = NATIVE_RUN;
    return Math.max(least, Math.min(most, run * 2, affordable));
  }
  // On a GPU fixed sizes keep its plans warm: half of it where a large batch makes a whole run too long.
  const slow = run >= MAX_RUN / 2 && affordable < MAX_RUN * 0.75;
  if (model.target.dtype === "float16") return slow ? MAX_RUN / 2 : MAX_RUN;
  return Math.max(4, Math.min(MAX_RUN, run * 2, affordable));
}

/** Noise of the next frames of one dialogue, `[frames * channels * topK]`. */
function noiseSource(request: GenerationRequest, channels: number): (frames: number) => Float32Array {
  const { sampling } = request;
  const perFrame = channels * sampling.topK;
  if (sampling.temperature === 0) return (frames) => new Float32Array(frames * perFrame);
  if (request.noise) {
    const { noise } = request;
    let at = 0;
    return (frames) => {
      const part = noise.slice(at, at + frames * perFrame);
      at += frames * perFrame;
      const full = new Float32Array(frames * perFrame);
      full.set(part);
      return full;
    };
  }
  const generator = new Mt19937(request.seed);
  return (frames) => generator.gumbel(frames * perFrame);
}

function interleave(draws: readonly Float32Array[], frames: number): Float32Array {
  const [first = new Float32Array(0)] = draws;
  if (draws.length === 1) return first;
  const perFrame = first.length / frames;
  const out = new Float32Array(first.length * draws.length);
  for (let i = 0; i < frames; i++) {
    for (const [b, draw] of draws.entries()) {
      out.set(draw.subarray(i * perFrame, (i + 1) * perFrame), (i * draws.length + b) * perFrame);
    }
  }
  return out;
}

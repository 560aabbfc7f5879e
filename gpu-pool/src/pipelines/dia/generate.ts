import type { TensorValue } from "../../onnx/session.ts";
import { float32, floatOutput, int64 } from "../../onnx/session.ts";
import { Mt19937 } from "../../random/index.ts";
import { type Codes, forcedRow, promptRows } from "./delay-pattern.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import type { DiaModel } from "./model.ts";

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
}

export interface GenerationOptions {
  readonly sampling: Sampling;
  readonly signal?: AbortSignal | undefined;
  /** Called after each run with the most rows any dialogue has. */
  readonly onRows?: (rows: number) => void | Promise<void>;
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
const MAX_RUN = { cpu: 64, cuda: 64 } as const;

/**
 * Makes the tokens of one or several dialogues together; each comes out as it would alone.
 * All need the same prompt length and top-k.
 * @throws the signal's reason when it is aborted between two runs
 */
export async function generate(
  model: DiaModel,
  requests: readonly GenerationRequest[],
  options: GenerationOptions,
): Promise<Generation[]> {
  const { config } = model;
  const channels = config.decoder.num_channels;
  const batch = requests.length;
  const prompts = requests.map(({ prompt = [] }) => prompt);
  const promptLength = prompts[0]?.length ?? 0;
  if (prompts.some((p) => p.length !== promptLength)) {
    throw new Error("dialogues of one batch need voice prompts of the same length");
  }
  const text = await encodeTexts(model, requests);
  const noise = requests.map((request) => noiseSource(request, options.sampling, channels));
  const cache = new KeyValueCache(model, batch);
  const known = prompts.map((prompt) => promptRows(config, prompt));
  let tok = known.map((rows) => rows.at(-1) ?? []);
  let prompt = known.map((rows) => rows.slice(0, -1));
  let ending: number[] = requests.map(() => -1);
  const firstRow = promptLength + 1;
  const rows: number[][][] = requests.map(() => []);
  const alignment: Float32Array[][] = requests.map(() => []);
  const { sampling } = options;
  const greedy = sampling.temperature === 0;
  const params = Float32Array.from({ length: 3 * batch }, (_, i) =>
    i < batch
      ? sampling.guidanceScale
      : i < 2 * batch
        ? greedy
          ? 1
          : 1 / sampling.temperature
        : sampling.topP,
  );
  const limit = Math.max(...requests.map(({ lastRow }) => lastRow)) + config.maxDelay + 1;
  let run = options.firstRun ?? 16;

  for (let at = firstRow; at < limit && ending.some((e) => e <= config.maxDelay); ) {
    options.signal?.throwIfAborted();
    const frames = Math.min(run, limit - at);
    const started = performance.now();
    const forced = requests.map(({ lastRow }, b) =>
      Array.from({ length: frames }, (_, i) => {
        const row = forcedRow(config, prompts[b] ?? [], at + i);
        return at + i === lastRow && (ending[b] ?? 0) < 0 ? [config.tokens.eos, ...row.slice(1)] : row;
      }),
    );
    const draws = noise.map((next) => next(frames));
    const outputs = await model.decoder.run({
      n: int64([frames], []),
      prompt: int64(prompt.flat(2), [batch, prompt[0]?.length ?? 0, channels]),
      tok: int64(tok.flat(), [batch, channels]),
      ending: int64(ending, [batch]),
      past_k: cache.keys,
      past_v: cache.values,
      ...text.feeds,
      forced: int64(byFrame(forced, frames), [frames, batch, channels]),
      gumbel: float32(interleave(draws, frames), [frames, batch, channels, sampling.topK]),
      params: float32(params, [3, batch]),
    });
    const tokens = Array.from(outputs.tokens?.data ?? [], Number);
    const made = tokens.length / (batch * channels);
    const attended = outputs.alignment ? floatOutput(outputs, "alignment") : undefined;
    for (let i = 0; i < made; i++) {
      for (let b = 0; b < batch; b++) {
        const from = (i * batch + b) * channels;
        rows[b]?.push(tokens.slice(from, from + channels));
        const weights = (i * batch + b) * text.length;
        if (attended) alignment[b]?.push(attended.slice(weights, weights + text.length));
      }
    }
    cache.append(outputs.new_k, outputs.new_v);
    ending = Array.from(outputs.ended?.data ?? [], Number);
    tok = rows.map((list) => list.at(-1) ?? []);
    prompt = requests.map(() => []);
    at += made;
    await options.onRows?.(at - firstRow);
    run = nextRun(model, run, frames, performance.now() - started);
    // The event loop gets its turn: a cancel arrives as a message.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return requests.map((request, b) => finish(model, request, rows[b] ?? [], alignment[b] ?? [], firstRow));
}

function nextRun(model: DiaModel, run: number, frames: number, milliseconds: number): number {
  const device = model.target.dtype === "float16" ? "cuda" : "cpu";
  const affordable = Math.floor((frames * RUN_MILLISECONDS) / Math.max(milliseconds, 1));
  // On a GPU one fixed size keeps its plans warm.
  if (device === "cuda") return MAX_RUN.cuda;
  return Math.max(4, Math.min(MAX_RUN.cpu, run * 2, affordable));
}

function finish(
  model: DiaModel,
  request: GenerationRequest,
  rows: number[][],
  alignment: Float32Array[],
  firstRow: number,
): Generation {
  const { eos } = model.config.tokens;
  const found = rows.findIndex((row) => row[0] === eos);
  const end = found < 0 ? rows.length : found;
  const length = Math.min(rows.length, end + model.config.maxDelay + 1);
  const endRow = firstRow + end;
  return {
    rows: rows.slice(0, length),
    firstRow,
    endRow,
    finished: found >= 0 && endRow < request.lastRow,
    alignment: alignment.slice(0, length),
  };
}

/** Noise of the next frames of one dialogue, `[frames * channels * topK]`. */
function noiseSource(
  request: GenerationRequest,
  sampling: Sampling,
  channels: number,
): (frames: number) => Float32Array {
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

function byFrame(perDialogue: readonly number[][][], frames: number): number[] {
  return Array.from({ length: frames }, (_, i) => perDialogue.flatMap((rows) => rows[i] ?? [])).flat();
}

/** Runs the text encoder for all dialogues: conditional rows first, then as many of zeros. */
async function encodeTexts(
  model: DiaModel,
  requests: readonly GenerationRequest[],
): Promise<{ length: number; feeds: Record<string, TensorValue> }> {
  const length = Math.max(...requests.map(({ text }) => text.length));
  const { max_position_embeddings: longest } = model.config.encoder;
  if (length > longest)
    throw new Error(`the text of a chunk has ${length} bytes; the model reads ${longest}`);
  const rowCount = 2 * requests.length;
  const ids = new Uint8Array(rowCount * length);
  const mask = new Float32Array(rowCount * length);
  for (const [b, { text }] of requests.entries()) {
    ids.set(text, b * length);
    for (const row of [b, b + requests.length]) mask.fill(1, row * length, row * length + text.length);
  }
  const maskValue = float32(mask, [rowCount, length]);
  const encoded = await model.encoder.run({ input_ids: int64(ids, [rowCount, length]), mask: maskValue });
  const names = model.target.cross === "fed" ? ["cross_k", "cross_v"] : ["encoder_hidden"];
  const feeds: Record<string, TensorValue> = { mask: maskValue };
  for (const name of names) {
    const value = encoded[name];
    if (!value) throw new Error(`the text encoder gave no "${name}"`);
    feeds[name] = value;
  }
  return { length, feeds };
}

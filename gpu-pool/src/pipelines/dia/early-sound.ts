import { decodeContext } from "../../graphs/dac-config.ts";
import { voicedWindows, windowLevels } from "../../speech/energy.ts";
import { integratedLoudness, limit, SPEECH_LOUDNESS } from "../../speech/loudness.ts";
import { fadeEnds } from "../../speech/tidy.ts";
import { joinParts } from "./assemble.ts";
import { canDecodeParts, decodeFrames } from "./codec.ts";
import { type Codes, undelay } from "./delay-pattern.ts";
import type { DacModel, DiaModel } from "./model.ts";

/** Sound of the first part; each one after it is twice as long, so that it is there before the one before has ended. */
const FIRST_SECONDS = 1;
const GROWTH = 2;
const LEAD_SECONDS = 0.04;
const FADE_SECONDS = 0.008;
/** A gain beyond this would be noise that is made loud. */
const MAX_GAIN = 10;

export interface EarlyPart {
  readonly samples: Float32Array;
  /** Seconds from the chunk's first sound. */
  readonly start: number;
}

/**
 * The first chunk's sound while it is generated: samples whose frames, with the delay pattern's rows and the codec's
 * context after them, are there. They are those of the finished chunk, brought to the loudness of the first part.
 */
export class EarlySound {
  readonly #dia: DiaModel;
  readonly #dac: DacModel;
  readonly #emit: (part: EarlyPart) => Promise<void>;
  readonly #frameRate: number;
  readonly #signal: AbortSignal | undefined;
  /** Decoded so far. */
  #raw: Float32Array = new Float32Array(0);
  #frames = 0;
  #next: number;
  #gain: number | undefined;
  /** Samples of `#raw` before the first sound, and those up to where it went out. */
  #lead = 0;
  #emitted = 0;
  /** The last that went out, for the level at which the rest goes on. */
  #tail = new Float32Array(0);

  constructor(
    { dia, dac, signal }: { dia: DiaModel; dac: DacModel; signal: AbortSignal | undefined },
    emit: (part: EarlyPart) => Promise<void>,
  ) {
    this.#dia = dia;
    this.#dac = dac;
    this.#signal = signal;
    this.#emit = emit;
    this.#frameRate = dac.config.sampleRate / dac.config.hop;
    this.#next = canDecodeParts(dac) ? FIRST_SECONDS : Number.POSITIVE_INFINITY;
  }

  /** Seconds of the chunk's own sound that went out, leading silence included; 0 where nothing did. */
  get seconds(): number {
    return this.#emitted / this.#dac.config.sampleRate;
  }

  /** @param rows of tokens so far */
  async rows(rows: Codes): Promise<void> {
    const { tokens, maxDelay } = this.#dia.config;
    const ended = rows.findIndex((row) => row[0] === tokens.eos);
    const made = Math.min(ended < 0 ? rows.length : ended, rows.length - maxDelay);
    const to = made - decodeContext(this.#dac.config);
    if (to - this.#frames < this.#next * this.#frameRate) return;
    const codes = undelay(this.#dia.config, rows, 0, made);
    const decoded = await decodeFrames(this.#dac, codes, { from: this.#frames, to }, this.#signal);
    this.#frames = to;
    this.#raw = joinParts([this.#raw, decoded]);
    if (await this.#send()) this.#next *= GROWTH;
  }

  /** @returns false while there is nothing to be heard */
  async #send(): Promise<boolean> {
    const { sampleRate } = this.#dac.config;
    const isFirst = this.#gain === undefined;
    if (isFirst) {
      const lead = firstSound(this.#raw, sampleRate);
      if (lead === undefined) return false;
      this.#lead = lead;
      this.#emitted = lead;
      this.#gain = gainFor(this.#raw.subarray(lead), sampleRate);
    }
    const gain = this.#gain ?? 1;
    const ceiling = 10 ** (SPEECH_LOUDNESS.truePeak / 20);
    const levelled = limit(
      this.#raw.map((x) => x * gain),
      sampleRate,
      ceiling,
    );
    const samples = levelled.slice(this.#emitted);
    this.#tail = samples.slice(-Math.round(TAIL_SECONDS * sampleRate));
    if (isFirst) fadeIn(samples, Math.round(FADE_SECONDS * sampleRate));
    const start = (this.#emitted - this.#lead) / sampleRate;
    this.#emitted = this.#raw.length;
    await this.#emit({ samples, start });
    return true;
  }

  /**
   * What is left of the finished chunk, beginning at the level at which the early part ended.
   * @param finished the chunk as it will be heard
   * @param at the sample of it that follows what went out
   */
  rest(finished: Float32Array, at: number): Float32Array {
    const { sampleRate } = this.#dac.config;
    const rest = finished.slice(at);
    const [was, is] = [this.#tail, finished.subarray(Math.max(0, at - this.#tail.length), at)].map(power);
    const ratio = was && is ? Math.min(4, Math.max(0.25, Math.sqrt(was / is))) : 1;
    const ramp = Math.min(rest.length, Math.round(RAMP_SECONDS * sampleRate));
    for (let i = 0; i < ramp; i++) rest[i] = (rest[i] ?? 0) * (ratio + ((1 - ratio) * i) / ramp);
    return rest;
  }
}

const TAIL_SECONDS = 0.05;
const RAMP_SECONDS = 0.2;

const power = (samples: Float32Array) =>
  samples.reduce((sum, x) => sum + x * x, 0) / Math.max(1, samples.length);

/** Where the first sound begins, a little before it; undefined in silence. */
function firstSound(samples: Float32Array, sampleRate: number): number | undefined {
  const window = Math.max(1, Math.round(sampleRate * 0.01));
  const first = voicedWindows(windowLevels(samples, window)).indexOf(true);
  return first < 0 ? undefined : Math.max(0, first * window - Math.round(LEAD_SECONDS * sampleRate));
}

function gainFor(samples: Float32Array, sampleRate: number): number {
  const missing = SPEECH_LOUDNESS.loudness - integratedLoudness(samples, sampleRate);
  return Math.min(MAX_GAIN, 10 ** (missing / 20));
}

function fadeIn(samples: Float32Array, length: number): void {
  const start = samples.slice(0, 2 * length);
  fadeEnds(start, length);
  samples.set(start.subarray(0, length));
}

import { normaliseParts } from "../../speech/loudness.ts";
import { type AddedChunk, joinParts } from "./assemble.ts";
import { EarlySound } from "./early-sound.ts";
import type { DacModel, DiaModel } from "./model.ts";
import type { SpeakOptions, SpeechAudio } from "./types.ts";

/** Numbers what can be listened to while a dialogue is made. */
export class Listener {
  readonly early: EarlySound;
  readonly #onAudio: NonNullable<SpeakOptions["onAudio"]>;
  readonly #sampleRate: number;
  readonly #signal: AbortSignal | undefined;
  readonly #chunks: number;
  #part = 0;

  constructor(
    models: { dia: DiaModel; dac: DacModel; signal: AbortSignal | undefined },
    onAudio: NonNullable<SpeakOptions["onAudio"]>,
    chunks: number,
  ) {
    this.#onAudio = onAudio;
    this.#signal = models.signal;
    this.#sampleRate = models.dac.config.sampleRate;
    this.#chunks = chunks;
    this.early = new EarlySound(models, ({ samples, start }) =>
      this.#send({ samples, chunk: 0, attempt: 0, start, last: false }),
    );
  }

  async #send(audio: Omit<SpeechAudio, "part" | "sampleRate">): Promise<void> {
    await this.#onAudio({ ...audio, part: this.#part++, sampleRate: this.#sampleRate });
  }

  /** A chunk is as it stays: all of it, or what was not heard of it. */
  async finished(chunk: number, { samples, start, moved }: AddedChunk, attempt: number): Promise<void> {
    const rate = this.#sampleRate;
    const audible = joinParts(await normaliseParts([samples], rate, this.#signal));
    const last = chunk === this.#chunks - 1;
    const heard = chunk === 0 && attempt === 0 ? this.early.seconds : 0;
    const at = heard > 0 ? Math.round(moved(heard) * rate) : 0;
    const rest = heard > 0 ? this.early.rest(audible, at) : audible;
    // Players stumble over a file without a sample.
    const sound = rest.length > 0 ? rest : new Float32Array(Math.round(rate * 0.01));
    await this.#send({ samples: sound, chunk, attempt, start: start + at / rate, last });
  }
}

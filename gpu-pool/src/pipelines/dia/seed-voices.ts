import type { CharacterManifest } from "@cartoon/protos/pack-manifest";
import type { Warning } from "@cartoon/protos/render-spec";
import { speechSeconds, splitText } from "../../speech/plan.ts";
import { encodeSamples } from "./codec.ts";
import { makeChunks } from "./make-chunk.ts";
import { modelText, type SpeakerSetup } from "./speak.ts";
import type { VoicePromptCodes } from "./voice-prompts.ts";

/** What a voice says once, so that it can be held on to. */
const SENTENCE = "Hello there, it is good to see you. We have a lot to do today, so let us begin.";

/**
 * Voices of characters that have a seed in place of a reference clip. A model without voices of its own speaks with
 * another one for every text; so the seed's voice says one sentence, always the same, and that is the character's
 * reference clip from then on, in every chunk and every run.
 */
export class SeedVoices {
  readonly #setup: Omit<SpeakerSetup, "seedVoices">;
  readonly #made = new Map<number, Promise<VoicePromptCodes>>();

  constructor(setup: Omit<SpeakerSetup, "seedVoices">) {
    this.#setup = setup;
  }

  /**
   * Adds what is missing to the prompts of those that speak.
   * @param prompts by character; those that are there win
   */
  async add(
    prompts: Map<string, VoicePromptCodes>,
    characters: readonly CharacterManifest[],
    warnings: Warning[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { settings, dac } = this.#setup;
    for (const { name, speaker, voice } of characters) {
      if (voice.seed === undefined || prompts.has(name)) continue;
      if (Object.values(settings.speakers).includes(name)) continue;
      const hasOwn = Object.keys(settings.speakers).length > 0;
      if (!hasOwn && dac.canEncode) prompts.set(name, await this.#voice(voice.seed, signal));
      else
        warnings.push({
          field: `voice of ${name}`,
          given: `seed ${voice.seed}`,
          used: hasOwn ? `the model's own voice ${speaker}` : "the model's own choice",
          rule: hasOwn
            ? "this pack was trained on voices of its own, which no seed changes"
            : "the codec of this pack has no encoder, so that no voice can be held on to",
        });
    }
  }

  async #voice(seed: number, signal: AbortSignal | undefined): Promise<VoicePromptCodes> {
    // Whoever makes it may be canceled; that is no reason for those who wait for it.
    const known = await this.#made.get(seed)?.catch(() => undefined);
    signal?.throwIfAborted();
    if (known) return known;
    const voice = this.#make(seed, signal);
    this.#made.set(seed, voice);
    voice.catch(() => this.#made.delete(seed));
    return voice;
  }

  async #make(seed: number, signal: AbortSignal | undefined): Promise<VoicePromptCodes> {
    const { pack, settings, dac, ...models } = this.#setup;
    const { voice } = pack.manifest;
    if (!voice) throw new Error("pack.json: the pack has no voice");
    // As much of it as leaves a small model room for more.
    const { limits } = settings;
    const half = { ...limits, maxBytes: Math.floor((limits.maxBytes ?? 1024) / 2) };
    const [text = ""] = splitText(modelText(settings, SENTENCE), half);
    const seconds = speechSeconds(text, limits.charactersPerSecond);
    const chunk = { segments: [{ line: 0, character: "", voice: 1 as const, text }], seconds };
    const speech = {
      max_new_tokens: voice.max_tokens,
      guidance_scale: voice.guidance_scale.default,
      temperature: voice.temperature.default,
      top_p: voice.top_p.default,
      top_k: voice.top_k.default,
      seed,
    };
    const clock = { generateSeconds: 0, codecSeconds: 0, frames: 0, retries: 0 };
    const context = {
      ...models,
      settings,
      dac,
      speech,
      prompts: new Map(),
      signal,
      alone: true,
      clock,
      onFrames: () => {},
    };
    const [made] = await makeChunks(context, [chunk]);
    if (!made) throw new Error("the voice of a seed was not made");
    return { codes: await encodeSamples(dac, made.samples), transcript: text };
  }
}

import { joinAdapters, type WeightedAdapter } from "../../lora/index.ts";
import type { Feeds } from "../../onnx/session.ts";
import { contextAt, type EncodedPrompts } from "./encode.ts";
import type { LatentShape } from "./latents.ts";
import type { PictureModels, Unet } from "./models.ts";
import type { CharacterFocus } from "./types.ts";
import type { FrameWindow } from "./windows.ts";

/** A prediction for the frames of a window; `uncond` is absent on steps without guidance. */
export interface Prediction {
  cond: Float32Array;
  uncond: Float32Array | undefined;
}

export interface CharacterAdapter extends WeightedAdapter {
  /** Character name. */
  name: string;
}

/** Runs the UNet on windows of a clip, with the prompts and character weights of the window's frames. */
export class WindowPredictor {
  readonly #unet: Unet;
  /** Pixels per latent. */
  readonly #factor: number;
  readonly #prompts: EncodedPrompts;
  readonly #adapters: readonly CharacterAdapter[];
  readonly #focus: CharacterFocus | undefined;
  /** Joined adapters by their weights: the same few mixes come back at every step. */
  readonly #mixes = new Map<string, Feeds>();

  constructor(
    models: Pick<PictureModels, "unet" | "vae">,
    prompts: EncodedPrompts,
    adapters: readonly CharacterAdapter[],
    focus: CharacterFocus | undefined,
  ) {
    this.#unet = models.unet;
    this.#factor = models.vae.factor;
    this.#prompts = prompts;
    this.#adapters = adapters;
    this.#focus = focus;
  }

  /** @param sample [channels, window frames, height, width], scaled for the model */
  async predict(
    sample: Float32Array,
    shape: LatentShape,
    window: FrameWindow,
    timestep: number,
    guided: boolean,
  ): Promise<Prediction> {
    const { positive, negative } = this.#prompts;
    const contexts =
      positive.length > 1 ? window.map((frame) => contextAt(positive, frame)) : [contextAt(positive, 0)];
    const pooled = positive[0]?.conditioning.pooled ?? new Float32Array(0);
    const negatives = guided ? contexts.map(() => negative.context) : [];
    const batch = guided ? 2 : 1;
    const output = await this.#unet.predict({
      batch,
      frames: window.length,
      height: shape.height,
      width: shape.width,
      pixelHeight: shape.height * this.#factor,
      pixelWidth: shape.width * this.#factor,
      sample: guided ? concat([sample, sample]) : sample,
      timestep,
      context: concat([...negatives, ...contexts]),
      contextRows: negatives.length + contexts.length,
      tokens: negative.tokens,
      pooled: guided ? concat([negative.pooled, pooled]) : pooled,
      lora: this.#lora(window),
    });
    if (!guided) return { cond: output, uncond: undefined };
    return { uncond: output.subarray(0, sample.length), cond: output.subarray(sample.length) };
  }

  #lora(window: FrameWindow): Feeds {
    const focus = this.#focus;
    const weights = this.#adapters.map(({ name, weight }) => {
      const factors = focus ? window.map((frame) => focus(frame)[name] ?? 1) : [1];
      // Hundredths keep the number of mixes small and are far below what can be seen.
      return Math.round((100 * weight * factors.reduce((a, b) => a + b, 0)) / factors.length) / 100;
    });
    const exact = focus ? weights : this.#adapters.map(({ weight }) => weight);
    const key = exact.join(" ");
    const known = this.#mixes.get(key);
    if (known) return known;
    const mixed = this.#adapters.map(({ adapter }, i) => ({ adapter, weight: exact[i] ?? 0 }));
    const feeds = joinAdapters("unet", this.#unet.loraTargets, mixed, { dtype: this.#unet.loraType });
    this.#mixes.set(key, feeds);
    return feeds;
  }
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const only = parts[0];
  if (parts.length === 1 && only) return only;
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

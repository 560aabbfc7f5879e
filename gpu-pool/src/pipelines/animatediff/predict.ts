import { joinAdapters, type WeightedAdapter } from "../../lora/index.ts";
import type { Feeds } from "../../onnx/session.ts";
import { Buffers } from "./buffers.ts";
import { contextAt, type EncodedPrompts } from "./encode.ts";
import { blendMixes, focusMixes, type Mix } from "./focus-mixes.ts";
import type { LatentShape } from "./latents.ts";
import type { MemoryLadder } from "./memory.ts";
import type { PictureModels, Unet, UnetInput } from "./models.ts";
import type { CharacterFocus, PassPartner, SharedPass } from "./types.ts";
import type { FrameWindow } from "./windows.ts";

/** A prediction for the frames of a window; `uncond` is absent on steps without guidance. */
export interface Prediction {
  cond: Float32Array;
  uncond: Float32Array | undefined;
}

/** The text of one batch row. */
interface Row {
  context: Float32Array;
  pooled: Float32Array;
}

export interface CharacterAdapter extends WeightedAdapter {
  /** Character name. */
  name: string;
}

/** What is predicted at a time: the frames of a window at one timestep. */
export interface WindowPass {
  /** [channels, window frames, height, width], scaled for the model. */
  sample: Float32Array;
  shape: LatentShape;
  window: FrameWindow;
  timestep: number;
}

/** Predicts the noise of a clip's windows. */
export interface Predictor {
  predict(pass: WindowPass, guided: boolean): Promise<Prediction>;
  /** One half of a guided prediction. */
  predictPart(pass: WindowPass, part: SharedPass["part"]): Promise<Float32Array>;
  /** Whether a partner may come and do halves. */
  readonly shared: boolean;
  /** Has a partner begin a half; undefined when there is nobody to do it. */
  begin(pass: WindowPass, part: SharedPass["part"]): Promise<Float32Array> | undefined;
  /** Whether two steps can be predicted in one run, the second with the deep features of the first. */
  readonly predictsTwo?: boolean;
  /** @param next of the frames of the window; `mix` weighs what is predicted for both batch rows */
  predictTwo?(pass: WindowPass, next: NextSteps): Promise<[Prediction, Prediction]>;
}

/** The second of two steps; without guidance there is no `uncond`. */
export interface NextSteps {
  timestep: number;
  base: Float32Array;
  mix: { cond: number; uncond: number | undefined };
}

export interface PredictorOptions {
  focus: CharacterFocus | undefined;
  memory: Pick<MemoryLadder, "halves">;
  partner: PassPartner | undefined;
  /** Which character's part of a regional clip; 0 otherwise. */
  region: number;
  /** Steps may be predicted two in one run. */
  fast: boolean;
  /** Told how long the LoRAs of a mix took to be put together. */
  onLora?: (seconds: number) => void;
}

/** Runs the UNet on windows of a clip, with the prompts and character weights of the window's frames. */
export class WindowPredictor implements Predictor {
  readonly #unet: Unet;
  /** Pixels per latent. */
  readonly #factor: number;
  readonly #prompts: EncodedPrompts;
  readonly #adapters: readonly CharacterAdapter[];
  readonly #options: PredictorOptions;
  /** Joined adapters by their weights: the same few mixes come back at every step. */
  readonly #mixes = new Map<string, Feeds>();
  readonly #buffers = new Buffers();

  constructor(
    models: Pick<PictureModels, "unet" | "vae">,
    prompts: EncodedPrompts,
    adapters: readonly CharacterAdapter[],
    options: PredictorOptions,
  ) {
    this.#unet = models.unet;
    this.#factor = models.vae.factor;
    this.#prompts = prompts;
    this.#adapters = adapters;
    this.#options = options;
  }

  async predict(pass: WindowPass, guided: boolean): Promise<Prediction> {
    if (!guided) return { cond: await this.predictPart(pass, "cond"), uncond: undefined };
    if (!this.#options.memory.halves) return apart(await this.#pass(["uncond", "cond"], pass));
    return { cond: await this.predictPart(pass, "cond"), uncond: await this.predictPart(pass, "uncond") };
  }

  predictPart(pass: WindowPass, part: SharedPass["part"]): Promise<Float32Array> {
    return this.#pass([part], pass);
  }

  get shared(): boolean {
    return this.#options.partner !== undefined;
  }

  begin({ sample, shape, window, timestep }: WindowPass, part: SharedPass["part"]) {
    const { partner, region } = this.#options;
    const { height, width } = shape;
    return partner?.ask({ region, part, window, timestep, height, width, sample });
  }

  /** The second step's sample follows from both halves of the first one's guidance, so they must be in one pass. */
  get predictsTwo(): boolean {
    return this.#options.fast && !this.#options.memory.halves;
  }

  async predictTwo(
    asked: WindowPass,
    { timestep: later, base, mix }: NextSteps,
  ): Promise<[Prediction, Prediction]> {
    const guided = mix.uncond !== undefined;
    const { pass, mixes } = this.#input(guided ? ["uncond", "cond"] : ["cond"], asked);
    const { shape } = asked;
    const next = { timestep: later, base, mix: [...(guided ? [mix.uncond ?? 0] : []), mix.cond] };
    const outputs: [Float32Array, Float32Array][] = [];
    for (const { weights } of mixes)
      outputs.push(await this.#unet.predictTwo({ ...pass, lora: this.#lora(weights) }, next));
    const [first, second] = [0, 1].map((i) => {
      const all = outputs.map((output) => output[i] ?? new Float32Array(0));
      const values = blendMixes(all, mixes, shape.height * shape.width);
      return guided ? apart(values) : { cond: values, uncond: undefined };
    });
    if (!first || !second) throw new Error("two steps were asked for");
    return [first, second];
  }

  async #pass(parts: readonly SharedPass["part"][], asked: WindowPass): Promise<Float32Array> {
    const { pass, mixes } = this.#input(parts, asked);
    const outputs: Float32Array[] = [];
    for (const { weights } of mixes)
      outputs.push(await this.#unet.predict({ ...pass, lora: this.#lora(weights) }));
    return blendMixes(outputs, mixes, asked.shape.height * asked.shape.width);
  }

  /** What the UNet gets for a pass, and the mixes of LoRA weights that it is run with. */
  #input(
    parts: readonly SharedPass["part"][],
    { sample, shape, window, timestep }: WindowPass,
  ): { pass: Omit<UnetInput, "lora">; mixes: Mix[] } {
    const { positive, negative } = this.#prompts;
    const travels = positive.length > 1;
    const frames = travels ? window : window.slice(0, 1);
    const cond: Row = {
      context: concat(frames.map((frame) => contextAt(positive, frame))),
      pooled: positive[0]?.conditioning.pooled ?? new Float32Array(0),
    };
    const uncond: Row = { context: concat(frames.map(() => negative.context)), pooled: negative.pooled };
    const rows = parts.map((part) => (part === "cond" ? cond : uncond));
    const pass = {
      batch: rows.length,
      frames: window.length,
      height: shape.height,
      width: shape.width,
      pixelHeight: shape.height * this.#factor,
      pixelWidth: shape.width * this.#factor,
      sample: this.#repeated(sample, rows.length),
      timestep,
      context: concat(rows.map((row) => row.context)),
      contextRows: rows.length * frames.length,
      tokens: this.#prompts.negative.tokens,
      pooled: concat(rows.map((row) => row.pooled)),
      inTwos: this.predictsTwo,
    };
    return { pass, mixes: this.#mixesOf(window) };
  }

  /** The same frames for each row. */
  #repeated(sample: Float32Array, rows: number): Float32Array {
    if (rows === 1) return sample;
    const batch = this.#buffers.take("batch", rows * sample.length);
    for (let row = 0; row < rows; row++) batch.set(sample, row * sample.length);
    return batch;
  }

  #mixesOf(window: FrameWindow): Mix[] {
    const { focus } = this.#options;
    if (!focus) return [{ weights: this.#adapters.map(({ weight }) => weight), shares: [1] }];
    return focusMixes(
      window.map((frame) => {
        const factors = focus(frame);
        return this.#adapters.map(({ name, weight }) => weight * (factors[name] ?? 1));
      }),
    );
  }

  #lora(weights: readonly number[]): Feeds {
    const key = weights.join(" ");
    const known = this.#mixes.get(key);
    if (known) return known;
    const mixed = this.#adapters.map(({ adapter }, i) => ({ adapter, weight: weights[i] ?? 0 }));
    const started = performance.now();
    const { loraTargets, loraFormat } = this.#unet;
    const feeds = joinAdapters("unet", loraTargets, mixed, loraFormat);
    if (mixed.length > 0) this.#options.onLora?.((performance.now() - started) / 1000);
    this.#mixes.set(key, feeds);
    return feeds;
  }
}

/** Both halves of a guided pass. */
function apart(both: Float32Array): Prediction {
  const half = both.length / 2;
  return { uncond: both.subarray(0, half), cond: both.subarray(half) };
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

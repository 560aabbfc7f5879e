import type { PackManifest, Warning } from "@cartoon/protos";
import { breathe } from "../../breathe.ts";
import type { AdapterFiles, LoraAdapter } from "../../lora/index.ts";
import { givingBack, loadNativeOps } from "../../onnx/native-ops.ts";
import { Mt19937 } from "../../random/index.ts";
import { type DenoiseState, decodeState, encodeState, settingsKey } from "./checkpoint.ts";
import { decodeFrames } from "./decode.ts";
import { denoise } from "./denoise.ts";
import { type EncodedPrompts, encodePrompts } from "./encode.ts";
import { imageLatents } from "./first-image.ts";
import { freeInit } from "./free-init.ts";
import { reusesFeatures } from "./guidance.ts";
import type { LatentShape } from "./latents.ts";
import { isOutOfMemory, MemoryLadder } from "./memory.ts";
import type { PictureModels } from "./models.ts";
import { type CharacterAdapter, type Predictor, WindowPredictor } from "./predict.ts";
import { initialLatents, initialNoise } from "./prepare.ts";
import { makePreview } from "./preview.ts";
import { RegionalPredictor, soloAdapter } from "./regional.ts";
import type { ResolvedClip } from "./settings.ts";
import {
  type ClipAssistant,
  ClipCanceled,
  type ClipResult,
  type ClipSettings,
  type GenerateOptions,
  type PassPartner,
  type RgbFrames,
  type StageTiming,
} from "./types.ts";

export interface PipelineParts {
  manifest: PackManifest;
  /** The pack's scheduler_config.json. */
  schedulerJson: unknown;
  models: PictureModels;
  /** LoRAs by character name. */
  adapters: ReadonlyMap<string, LoraAdapter>;
  /** LoRAs that come with requests. */
  files: AdapterFiles;
  loadSeconds: number;
  /** Guidance in halves and one frame at a time in the VAE. */
  smallMemory: boolean;
}

const PREVIEW_SECONDS = 2.5;

/** One clip on its way through the pipeline. */
export class Run {
  readonly #parts: PipelineParts;
  readonly #clip: ResolvedClip;
  readonly #options: GenerateOptions;
  readonly #shape: LatentShape;
  readonly #key: string;
  readonly #timings: StageTiming[] = [];
  #loraSeconds = 0;
  readonly #warnings: Warning[];
  readonly #adapters: CharacterAdapter[];
  /** LoRAs that act on the whole clip, in each of its regions. */
  readonly #extra: readonly CharacterAdapter[];
  readonly #memory: MemoryLadder;
  /** Step of the last checkpoint, or the one that this run began with. */
  #savedAt = 0;
  #lastPreview = Number.NEGATIVE_INFINITY;

  /** @param halves guidance in two passes from the start */
  constructor(
    parts: PipelineParts,
    settings: ClipSettings,
    clip: ResolvedClip,
    options: GenerateOptions,
    halves: boolean,
  ) {
    const { unet, vae } = parts.models;
    this.#parts = parts;
    this.#clip = clip;
    this.#options = options;
    this.#warnings = clip.warnings;
    this.#memory = new MemoryLadder(clip.windows, halves, `${clip.width}x${clip.height}`);
    this.#shape = {
      channels: unet.channels,
      frames: clip.windows.frames,
      height: clip.height / vae.factor,
      width: clip.width / vae.factor,
    };
    this.#key = settingsKey(settings, `${parts.manifest.name} ${parts.manifest.version}`, {
      freeNoise: options.freeNoise,
      freeInit: options.freeInitIterations,
      strength: options.firstImage?.strength,
      size: [clip.width, clip.height],
    });
    this.#adapters = clip.characters.flatMap(({ manifest, weight }) => {
      const adapter = clip.cast?.byCharacter.get(manifest.name) ?? parts.adapters.get(manifest.name);
      return adapter ? [{ name: manifest.name, adapter, weight }] : [];
    });
    this.#extra = clip.cast?.extra ?? [];
  }

  async timed<T>(stage: StageTiming["stage"], work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#timings.push({ stage, seconds: (performance.now() - start) / 1000 });
    }
  }

  async encode(): Promise<EncodedPrompts> {
    const adapters = [...this.#adapters, ...this.#extra];
    const encoded = await encodePrompts(this.#parts.models, this.#clip, adapters);
    this.#warnings.push(...encoded.warnings);
    return encoded;
  }

  async prepare(): Promise<DenoiseState> {
    const state = this.#resumed() ?? (await this.#fresh());
    this.#savedAt = state.pass * this.#stepsPerPass + state.step;
    return state;
  }

  /** Runs the sampler, once or with FreeInit several times. @returns the finished latents */
  async denoise(prompts: EncodedPrompts, start: DenoiseState): Promise<Float32Array> {
    const predictor = this.#predictor(prompts);
    const hooks = {
      check: (done: number) => {
        this.#check(done);
        if (done === this.#steps - 1) this.#giveBack(true);
      },
      onOutOfMemory: async () => {
        // What the larger pass has taken is in pieces that the smaller one may not fit into.
        await this.#parts.models.unet.releaseMemory();
        const warning = this.#memory.stepDown();
        if (warning) this.#warnings.push(warning);
        return warning !== undefined;
      },
      onStep: this.#afterStep.bind(this),
      isToFinish: () => this.#options.finish?.aborted === true,
    };
    let state = start;
    try {
      for (;;) {
        const before = state.pass * this.#stepsPerPass;
        const check = (done: number) => hooks.check(before + done);
        state = await denoise(this.#clip, this.#shape, predictor, state, { ...hooks, check });
        if (hooks.isToFinish()) return state.previousX0 ?? state.latents;
        if (state.pass + 1 >= this.#passes || !state.initialNoise) return state.latents;
        state = this.#nextPass(state, state.initialNoise);
      }
    } finally {
      this.#giveBack(false);
    }
  }

  /** In the small mode the UNet and the VAE have the same memory, one after the other. */
  #giveBack(on: boolean): void {
    if (this.#parts.smallMemory) loadNativeOps()?.giveBack(on);
  }

  #givingBack<T>(on: boolean, work: () => Promise<T>): Promise<T> {
    return on && this.#parts.smallMemory ? givingBack(work) : work();
  }

  #predictor(prompts: EncodedPrompts): Predictor {
    const regions = this.#regions(prompts, this.#options.partner);
    const [only] = regions;
    return regions.length === 1 && only ? only : new RegionalPredictor(regions);
  }

  /** A predictor for each character of a regional clip, one otherwise. */
  #regions(prompts: EncodedPrompts, partner: PassPartner | undefined): WindowPredictor[] {
    const { models } = this.#parts;
    const { characters, blend } = this.#clip;
    const { focus } = this.#options;
    const make = (adapters: CharacterAdapter[], region: number) =>
      new WindowPredictor(models, prompts, [...adapters, ...this.#extra], {
        ...{ focus, partner, region, memory: this.#memory, fast: reusesFeatures(this.#clip) },
        onLora: (seconds) => {
          this.#loraSeconds += seconds;
        },
      });
    if (blend !== "regional" || this.#adapters.length < 2) return [make(this.#adapters, 0)];
    return this.#adapters.map((adapter, region) => {
      const character = characters.find(({ manifest }) => manifest.name === adapter.name);
      return make([character ? soloAdapter(adapter, character) : adapter], region);
    });
  }

  /** Does single passes of this clip for another copy of the models. */
  async assistant(): Promise<ClipAssistant> {
    const regions = this.#regions(await this.encode(), undefined);
    return {
      predict: ({ region, part, height, width, ...pass }) => {
        const predictor = regions[region];
        if (!predictor) throw new RangeError(`region ${region} of ${regions.length}`);
        return predictor.predictPart({ ...pass, shape: { ...this.#shape, height, width } }, part);
      },
    };
  }

  #nextPass(state: DenoiseState, firstNoise: Float32Array): DenoiseState {
    const { scheduler } = this.#clip;
    const random = Mt19937.restore(state.random);
    const noise = freeInit(state.latents, firstNoise, this.#shape, scheduler, random);
    const latents = initialLatents(this.#clip, noise, { step: 0, image: undefined });
    return { ...state, pass: state.pass + 1, step: 0, latents, previousX0: undefined, random: random.save() };
  }

  async decode(latents: Float32Array): Promise<Uint8Array> {
    const { width, height } = this.#clip;
    const { frames } = this.#shape;
    this.#options.onLatents?.(latents);
    const frameBytes = width * height * 3;
    const all = new Uint8Array(frames * frameBytes);
    let size = this.#parts.smallMemory ? 1 : this.#parts.models.vae.framesAtOnce;
    for (let first = 0; first < frames; ) {
      await breathe();
      this.#check(this.#steps);
      const indices = Array.from({ length: Math.min(size, frames - first) }, (_, i) => first + i);
      const chunk = await this.#givingBack(first + indices.length === frames, () =>
        this.#decodeChunk(latents, indices),
      );
      if (!chunk) {
        size = 1;
        continue;
      }
      all.set(chunk.data, first * frameBytes);
      await this.#options.onFrames?.(chunk, first);
      first += indices.length;
    }
    return all;
  }

  /** @returns undefined when several frames at once do not fit; a single one that does not is decoded on the CPU */
  async #decodeChunk(latents: Float32Array, indices: number[]): Promise<RgbFrames | undefined> {
    const { vae } = this.#parts.models;
    try {
      return await decodeFrames(vae, latents, this.#shape, indices, this.#warnings);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      const rule = "the device ran out of memory";
      if (indices.length > 1) {
        const given = `${indices.length} frames decoded at once`;
        this.#warnings.push({ field: "memory", given, used: "one frame at a time", rule });
        return undefined;
      }
      this.#warnings.push({ field: "memory", given: "decoded on the GPU", used: "decoded on the CPU", rule });
      const exact = { ...vae, decode: vae.decodeExact };
      return await decodeFrames(exact, latents, this.#shape, indices, this.#warnings);
    }
  }

  result(frames: Uint8Array): ClipResult {
    const { width, height, fps, seed, schedulerName, characters } = this.#clip;
    return {
      frames,
      count: this.#shape.frames,
      width,
      height,
      fps,
      seed,
      scheduler: schedulerName,
      characters: characters.map(({ manifest, weight }) => ({ name: manifest.name, weight })),
      steps: this.#steps,
      timings: this.#timings.flatMap((timing) => this.#withoutLora(timing)),
      warnings: this.#warnings,
    };
  }

  #withoutLora(timing: StageTiming): StageTiming[] {
    const lora = this.#loraSeconds;
    if (timing.stage !== "denoise" || lora === 0) return [timing];
    return [
      { stage: "lora", seconds: lora },
      { stage: "denoise", seconds: timing.seconds - lora },
    ];
  }

  get #stepsPerPass(): number {
    return this.#clip.scheduler.timesteps.length;
  }

  /** FreeInit starts from noise, so a clip that starts from an image has one pass. */
  get #passes(): number {
    return this.#options.firstImage ? 1 : Math.max(1, this.#options.freeInitIterations ?? 1);
  }

  get #steps(): number {
    return this.#stepsPerPass * this.#passes;
  }

  #check(done: number): void {
    if (this.#options.signal?.aborted) throw new ClipCanceled(done, this.#steps);
  }

  #resumed(): DenoiseState | undefined {
    const bytes = this.#options.checkpoint?.resume;
    if (!bytes) return undefined;
    try {
      return decodeState(bytes, this.#key);
    } catch (error) {
      const rule = error instanceof Error ? error.message : String(error);
      this.#warnings.push({ field: "checkpoint", given: `${bytes.length} bytes`, used: "a new start", rule });
      return undefined;
    }
  }

  async #fresh(): Promise<DenoiseState> {
    const clip = this.#clip;
    const random = new Mt19937(clip.seed);
    const noise = initialNoise(clip, this.#shape, random, this.#options.freeNoise ?? true);
    const image = await this.#imageLatents();
    const strength = this.#options.firstImage?.strength ?? 1;
    const steps = this.#stepsPerPass;
    const step = image ? Math.min(steps - 1, steps - Math.floor(steps * strength)) : 0;
    return {
      pass: 0,
      step,
      latents: initialLatents(clip, noise, { step, image }),
      previousX0: undefined,
      random: random.save(),
      initialNoise: this.#passes > 1 ? noise : undefined,
    };
  }

  async #imageLatents(): Promise<Float32Array | undefined> {
    const { firstImage } = this.#options;
    return firstImage && imageLatents(this.#parts.models.vae, firstImage, this.#shape);
  }

  async #afterStep(state: DenoiseState, x0: Float32Array, seconds: number, whole: boolean): Promise<void> {
    const { onStep, onPreview, checkpoint, previewEverySeconds = PREVIEW_SECONDS } = this.#options;
    const step = state.pass * this.#stepsPerPass + state.step;
    await onStep?.({ step, steps: this.#steps, seconds });
    const every = checkpoint?.everySteps ?? 0;
    const owed = every > 0 && Math.floor(step / every) > Math.floor(this.#savedAt / every);
    if (checkpoint?.save && owed && whole && step < this.#steps) {
      this.#savedAt = step;
      await checkpoint.save(encodeState(state, this.#key), step);
    }
    const due = performance.now() - this.#lastPreview >= previewEverySeconds * 1000;
    if (onPreview && due && step < this.#steps) {
      this.#lastPreview = performance.now();
      const clip = { fps: this.#clip.fps, step };
      const { vae } = this.#parts.models;
      const made = this.#givingBack(true, () => makePreview(vae, x0, this.#shape, clip));
      await made.then(onPreview, forgiveNoMemory);
    }
  }
}

/** A clip does not fail for the lack of a preview. */
function forgiveNoMemory(error: unknown): void {
  if (!isOutOfMemory(error)) throw error;
}

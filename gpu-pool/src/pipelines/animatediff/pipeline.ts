import type { CharacterManifest, PackManifest, Warning } from "@cartoon/protos";
import type { LoraAdapter } from "../../lora/index.ts";
import { Mt19937 } from "../../random/index.ts";
import { breathe } from "./breathe.ts";
import { type DenoiseState, decodeState, encodeState, settingsKey } from "./checkpoint.ts";
import { decodeFrames, fromRgb } from "./decode.ts";
import { denoise } from "./denoise.ts";
import { type EncodedPrompts, encodePrompts } from "./encode.ts";
import { framesAsBatch, type LatentShape } from "./latents.ts";
import type { PictureModels } from "./models.ts";
import { type CharacterAdapter, WindowPredictor } from "./predict.ts";
import { initialLatents, initialNoise } from "./prepare.ts";
import { makePreview } from "./preview.ts";
import { type ResolvedClip, resolveClip } from "./settings.ts";
import {
  type AnimateDiffPipeline,
  ClipCanceled,
  type ClipResult,
  type ClipSettings,
  type GenerateOptions,
  type StageTiming,
} from "./types.ts";

export interface PipelineParts {
  manifest: PackManifest;
  /** The pack's scheduler_config.json. */
  schedulerJson: unknown;
  models: PictureModels;
  /** LoRAs by character name. */
  adapters: ReadonlyMap<string, LoraAdapter>;
  loadSeconds: number;
}

const PREVIEW_SECONDS = 2.5;
const DECODE_CHUNK = 4;

/** AnimateDiff: `encode → prepare → denoise → decode`. */
export class AnimateDiff implements AnimateDiffPipeline {
  readonly characters: readonly CharacterManifest[];
  readonly loadSeconds: number;
  readonly #parts: PipelineParts;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.characters = parts.manifest.characters;
    this.loadSeconds = parts.loadSeconds;
  }

  async generate(settings: ClipSettings, options: GenerateOptions = {}): Promise<ClipResult> {
    const { manifest, schedulerJson, models } = this.#parts;
    const clip = resolveClip(settings, manifest, schedulerJson, models.unet.maxFrames);
    const run = new Run(this.#parts, settings, clip, options);
    const prompts = await run.timed("encode", () => run.encode());
    const state = await run.timed("prepare", () => run.prepare());
    const latents = await run.timed("denoise", () => run.denoise(prompts, state));
    const frames = await run.timed("decode", () => run.decode(latents));
    return run.result(frames);
  }

  async close(): Promise<void> {
    await this.#parts.models.close();
  }
}

/** One clip on its way through the pipeline. */
class Run {
  readonly #parts: PipelineParts;
  readonly #clip: ResolvedClip;
  readonly #options: GenerateOptions;
  readonly #shape: LatentShape;
  readonly #key: string;
  readonly #timings: StageTiming[] = [];
  readonly #warnings: Warning[];
  readonly #adapters: CharacterAdapter[];
  #lastPreview = Number.NEGATIVE_INFINITY;

  constructor(parts: PipelineParts, settings: ClipSettings, clip: ResolvedClip, options: GenerateOptions) {
    const { unet, vae } = parts.models;
    this.#parts = parts;
    this.#clip = clip;
    this.#options = options;
    this.#warnings = clip.warnings;
    this.#shape = {
      channels: unet.channels,
      frames: clip.windows.frames,
      height: clip.height / vae.factor,
      width: clip.width / vae.factor,
    };
    this.#key = settingsKey(settings, `${parts.manifest.name} ${parts.manifest.version}`, {
      freeNoise: options.freeNoise,
      strength: options.firstImage?.strength,
    });
    this.#adapters = clip.characters.flatMap(({ manifest, weight }) => {
      const adapter = parts.adapters.get(manifest.name);
      return adapter ? [{ name: manifest.name, adapter, weight }] : [];
    });
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
    const encoded = await encodePrompts(this.#parts.models, this.#clip, this.#adapters);
    this.#warnings.push(...encoded.warnings);
    return encoded;
  }

  async prepare(): Promise<DenoiseState> {
    return this.#resumed() ?? (await this.#fresh());
  }

  denoise(prompts: EncodedPrompts, state: DenoiseState): Promise<Float32Array> {
    const predictor = new WindowPredictor(this.#parts.models, prompts, this.#adapters, this.#options.focus);
    return denoise(this.#clip, this.#shape, predictor, state, {
      check: (done) => this.#check(done),
      onStep: (current, x0, seconds) => this.#afterStep(current, x0, seconds),
    });
  }

  async decode(latents: Float32Array): Promise<Uint8Array> {
    const { width, height } = this.#clip;
    const { frames } = this.#shape;
    this.#options.onLatents?.(latents);
    const frameBytes = width * height * 3;
    const all = new Uint8Array(frames * frameBytes);
    for (let first = 0; first < frames; first += DECODE_CHUNK) {
      await breathe();
      this.#check(this.#steps);
      const indices = Array.from({ length: Math.min(DECODE_CHUNK, frames - first) }, (_, i) => first + i);
      const chunk = await decodeFrames(this.#parts.models.vae, latents, this.#shape, indices, this.#warnings);
      all.set(chunk.data, first * frameBytes);
      await this.#options.onFrames?.(chunk, first);
    }
    return all;
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
      timings: this.#timings,
      warnings: this.#warnings,
    };
  }

  get #steps(): number {
    return this.#clip.scheduler.timesteps.length;
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
    const step = image ? Math.min(this.#steps - 1, this.#steps - Math.floor(this.#steps * strength)) : 0;
    return {
      pass: 0,
      step,
      latents: initialLatents(clip, noise, { step, image }),
      previousX0: undefined,
      random: random.save(),
      initialNoise: undefined,
    };
  }

  /** The first image's latents on every frame, scaled for the UNet. */
  async #imageLatents(): Promise<Float32Array | undefined> {
    const first = this.#options.firstImage;
    if (!first) return undefined;
    const { vae } = this.#parts.models;
    const { width, height } = this.#clip;
    const { image, strength } = first;
    if (image.width !== width || image.height !== height)
      throw new Error(`firstImage: must be ${width}x${height}, not ${image.width}x${image.height}`);
    if (!(strength > 0 && strength <= 1))
      throw new Error("firstImage.strength: must be above 0 and at most 1");
    const latents = await vae.encode(fromRgb(image), height, width);
    const single = { ...this.#shape, frames: 1 };
    const scaled = framesAsBatch(latents, single, [0], vae.scalingFactor);
    const area = this.#shape.height * this.#shape.width;
    const all = new Float32Array(this.#shape.channels * this.#shape.frames * area);
    for (let channel = 0; channel < this.#shape.channels; channel++)
      for (let frame = 0; frame < this.#shape.frames; frame++)
        all.set(
          scaled.subarray(channel * area, (channel + 1) * area),
          (channel * this.#shape.frames + frame) * area,
        );
    return all;
  }

  async #afterStep(state: DenoiseState, x0: Float32Array, seconds: number): Promise<void> {
    const { onStep, onPreview, checkpoint, previewEverySeconds = PREVIEW_SECONDS } = this.#options;
    await onStep?.({ step: state.step, steps: this.#steps, seconds });
    const every = checkpoint?.everySteps ?? 0;
    if (checkpoint?.save && every > 0 && state.step % every === 0 && state.step < this.#steps)
      await checkpoint.save(encodeState(state, this.#key), state.step);
    const due = performance.now() - this.#lastPreview >= previewEverySeconds * 1000;
    if (onPreview && due && state.step < this.#steps) {
      const clip = { fps: this.#clip.fps, step: state.step };
      await onPreview(await makePreview(this.#parts.models.vae, x0, this.#shape, clip));
      this.#lastPreview = performance.now();
    }
  }
}

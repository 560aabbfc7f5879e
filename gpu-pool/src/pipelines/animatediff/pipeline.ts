import type { CharacterManifest } from "@cartoon/protos";
import { loadCast, manifestWith } from "./cast.ts";
import { isOutOfMemory, smallerSizes } from "./memory.ts";
import { type PipelineParts, Run } from "./run.ts";
import { type ResolvedClip, resolveClip } from "./settings.ts";
import {
  type AnimateDiffPipeline,
  type ClipAssistant,
  ClipOutOfMemory,
  type ClipResult,
  type ClipSettings,
  type GenerateOptions,
} from "./types.ts";

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
    const { manifest, models } = this.#parts;
    const clip = await this.#resolve(settings);
    const sizes = smallerSizes(clip.width, clip.height, manifest.picture?.multiple_of ?? models.vae.factor);
    let halves = this.#parts.smallMemory || (options.halves ?? false);
    for (;;) {
      try {
        return await this.#draw(settings, { ...clip, windows: { ...clip.windows } }, options, halves);
      } catch (error) {
        const size = isOutOfMemory(error) ? sizes.shift() : undefined;
        if (!size) throw isOutOfMemory(error) ? new ClipOutOfMemory(error, clip.warnings) : error;
        clip.warnings.push({
          field: "width,height",
          given: `${clip.width}x${clip.height}`,
          used: `${size.width}x${size.height}`,
          rule: `the device ran out of memory at ${clip.width}x${clip.height}`,
        });
        Object.assign(clip, size);
        halves = true;
      }
    }
  }

  async assist(settings: ClipSettings, options: Pick<GenerateOptions, "focus"> = {}): Promise<ClipAssistant> {
    const clip = await this.#resolve(settings);
    // Those of the clip that passes were done for before.
    this.#parts.models.unet.forgetLoras();
    return new Run(this.#parts, settings, clip, options, true).assistant();
  }

  async #resolve(settings: ClipSettings): Promise<ResolvedClip> {
    const { manifest, schedulerJson, models, files } = this.#parts;
    const known = manifestWith(manifest, settings.cast);
    const clip = resolveClip(settings, known, schedulerJson, models.unet.maxFrames);
    const cast = await loadCast(files, settings.cast);
    return { ...clip, cast, warnings: [...clip.warnings, ...cast.warnings] };
  }

  async #draw(
    settings: ClipSettings,
    clip: ResolvedClip,
    options: GenerateOptions,
    halves: boolean,
  ): Promise<ClipResult> {
    const run = new Run(this.#parts, settings, clip, options, halves);
    const prompts = await run.timed("encode", () => run.encode());
    const state = await run.timed("prepare", () => run.prepare());
    const latents = await run
      .timed("denoise", () => run.denoise(prompts, state))
      .finally(() => this.#parts.models.unet.forgetLoras());
    const frames = await run.timed("decode", () => run.decode(latents));
    return run.result(frames);
  }

  async close(): Promise<void> {
    await this.#parts.models.close();
  }
}

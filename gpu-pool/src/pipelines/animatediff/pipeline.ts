import type { CharacterManifest } from "@cartoon/protos";
import { type PipelineParts, Run } from "./run.ts";
import { resolveClip } from "./settings.ts";
import type { AnimateDiffPipeline, ClipResult, ClipSettings, GenerateOptions } from "./types.ts";

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

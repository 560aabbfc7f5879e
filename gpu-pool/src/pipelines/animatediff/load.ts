import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ClipSize } from "../../graphs/unet-plan.ts";
import { AdapterFiles, type LoraAdapter, loadLora, usesConvolutions } from "../../lora/index.ts";
import type { Pack } from "../../packs/index.ts";
import { parseSchedulerConfig } from "../../schedulers/index.ts";
import { loadTextModel } from "./load-text.ts";
import { loadUnet } from "./load-unet.ts";
import { loadVae } from "./load-vae.ts";
import type { PictureModels } from "./models.ts";
import { AnimateDiff } from "./pipeline.ts";
import type { AnimateDiffPipeline, LoadOptions } from "./types.ts";

const ModelIndex = z.looseObject({ force_zeros_for_empty_prompt: z.boolean().optional() });

/**
 * Loads the picture half of a pack: text encoders, UNet with motion modules, VAE, and every character's LoRA.
 * @throws Error that names the part that is missing or does not fit
 */
export async function loadAnimateDiff(pack: Pack, options: LoadOptions): Promise<AnimateDiffPipeline> {
  const start = performance.now();
  if (!pack.manifest.picture) throw new Error(`pack: "${pack.manifest.name}" draws no pictures`);
  const schedulerJson = await readJson(join(pack.component("scheduler"), "scheduler_config.json"));
  parseSchedulerConfig(schedulerJson);
  const models = await loadModels(pack, options);
  try {
    const fit = targetsOf(models);
    const adapters = await loadAdapters(pack, fit);
    const loadSeconds = (performance.now() - start) / 1000;
    const smallMemory = options.smallMemory ?? false;
    return new AnimateDiff({
      manifest: pack.manifest,
      schedulerJson,
      models,
      adapters,
      files: new AdapterFiles(fit),
      loadSeconds,
      smallMemory,
    });
  } catch (error) {
    await models.close();
    throw error;
  }
}

async function loadModels(pack: Pack, base: LoadOptions): Promise<PictureModels> {
  const options = pack.has("checkpoint") ? { ...base, checkpoint: pack.component("checkpoint") } : base;
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const release of closers.splice(0)) await release();
  };
  const keep = <T extends { close(): Promise<void> }>(model: T): T => {
    closers.push(() => model.close());
    return model;
  };
  try {
    const family = pack.manifest.picture?.family ?? "sdxl";
    const pairs = [
      ["text_encoder", "tokenizer"],
      ...(family === "sdxl" ? [["text_encoder_2", "tokenizer_2"]] : []),
    ] as ["text_encoder" | "text_encoder_2", string][];
    const text = [];
    for (const [encoder, tokenizer] of pairs)
      text.push(
        keep(
          await loadTextModel(pack.component(encoder), pack.component(tokenizer), encoder, family, options),
        ),
      );
    const vae = keep(await loadVae(pack.component("vae"), options));
    const first = firstPass(pack, vae.factor);
    const folders = { unet: pack.component("unet"), adapter: pack.component("motion_adapter") };
    const convolutions = options.convolutions || (await changesConvolutions(pack));
    const unet = keep(await loadUnet(folders, options, first, convolutions));
    return { text, unet, vae, zerosForEmptyPrompt: await zerosForEmptyPrompt(pack, family), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A pass of the pack's own size, to be ready for. */
function firstPass({ manifest: { picture } }: Pack, factor: number): ClipSize {
  if (!picture) throw new Error("the pack draws no pictures");
  const { native, frames } = picture;
  const window = Math.min(frames.window, frames.default);
  return { batch: 2, frames: window, height: native.height / factor, width: native.width / factor };
}

/** From diffusers' `model_index.json` where the pack has one; SDXL's default is zeros, SD 1.5 encodes "". */
async function zerosForEmptyPrompt(pack: Pack, family: "sdxl" | "sd15"): Promise<boolean> {
  const json = await readJson(join(pack.folder, "model_index.json")).catch(() => ({}));
  return ModelIndex.parse(json).force_zeros_for_empty_prompt ?? family === "sdxl";
}

/** Whether any character's LoRA is a LoCon, which the smaller graph cannot take. */
async function changesConvolutions(pack: Pack): Promise<boolean> {
  for (const { lora } of pack.manifest.characters)
    if (lora !== undefined && (await usesConvolutions(join(pack.folder, lora)))) return true;
  return false;
}

/** What the loaded models take. */
function targetsOf({ unet, text }: PictureModels) {
  const targets = {
    unet: unet.loraTargets,
    text_encoder: text[0]?.loraTargets,
    text_encoder_2: text[1]?.loraTargets,
  };
  return { targets, layersPerBlock: unet.layersPerBlock };
}

async function loadAdapters(
  pack: Pack,
  fit: ReturnType<typeof targetsOf>,
): Promise<ReadonlyMap<string, LoraAdapter>> {
  const adapters = new Map<string, LoraAdapter>();
  for (const { name, lora, adapter } of pack.manifest.characters) {
    if (lora === undefined) continue;
    const options = { ...fit, name: adapter ?? name };
    adapters.set(name, await loadLora(join(pack.folder, lora), options));
  }
  return adapters;
}

export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { loadPack, type Pack } from "../packs/index.ts";
import { type AnimateDiffPipeline, loadAnimateDiff } from "../pipelines/animatediff/index.ts";
import { type DiaVoice, loadDia } from "../pipelines/dia/index.ts";
import type { Part, RunnerSetup } from "./messages.ts";

/** The models of one pack, in memory. A pack may draw only or speak only. */
export interface LoadedPack {
  pack: Pack;
  picture?: AnimateDiffPipeline;
  voice?: DiaVoice;
}

/** Keeps one pack in memory and changes it when another one is asked for. */
export class Models {
  readonly #setup: RunnerSetup;
  readonly #packs = new Map<string, Pack>();
  #loaded: LoadedPack | undefined;

  private constructor(setup: RunnerSetup) {
    this.#setup = setup;
  }

  /** Reads every `pack.json` and loads the first pack. */
  static async open(setup: RunnerSetup): Promise<Models> {
    const models = new Models(setup);
    for (const dir of setup.packs) {
      const pack = await loadPack(dir);
      models.#packs.set(pack.manifest.name, pack);
    }
    const [first] = models.#packs.keys();
    if (first === undefined) throw new Error("no pack was given");
    await models.get(first);
    return models;
  }

  /** Names of what is in memory: the pack and its LoRAs. */
  get warm(): string[] {
    if (!this.#loaded) return [];
    const { name, characters } = this.#loaded.pack.manifest;
    const adapters = this.#loaded.picture ? characters.flatMap((c) => c.adapter ?? []) : [];
    return [name, ...adapters];
  }

  isWarm(name: string): boolean {
    return this.#loaded?.pack.manifest.name === name;
  }

  async get(name: string): Promise<LoadedPack> {
    if (this.#loaded?.pack.manifest.name === name) return this.#loaded;
    const pack = this.#packs.get(name);
    if (!pack) throw new Error(`pack "${name}" is not on this node`);
    await this.#release();
    this.#loaded = await this.#load(pack);
    return this.#loaded;
  }

  async #load(pack: Pack): Promise<LoadedPack> {
    const { device, threads, cacheDir, parts } = this.#setup;
    const options = {
      cacheDir: join(cacheDir, pack.manifest.name),
      device: device.kind,
      threads: threads || (device.kind === "cpu" ? availableParallelism() : 0),
    };
    const has = (part: Part) => parts.includes(part) && pack.manifest[part] !== undefined;
    const picture = has("picture") ? await loadAnimateDiff(pack, options) : undefined;
    const voice = has("voice")
      ? await loadDia({ dir: pack.folder, manifest: pack.manifest }, options)
      : undefined;
    return { pack, picture, voice };
  }

  async #release(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    await loaded?.picture?.close();
    await loaded?.voice?.release();
  }
}

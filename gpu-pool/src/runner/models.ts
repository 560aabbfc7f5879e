import { availableParallelism } from "node:os";
import { join } from "node:path";
import { loadPack, type Pack, substituteFor } from "../packs/index.ts";
import { type AnimateDiffPipeline, isOutOfMemory, loadAnimateDiff } from "../pipelines/animatediff/index.ts";
import { type DiaVoice, loadDia } from "../pipelines/dia/index.ts";
import { freeDeviceMemory } from "./free-memory.ts";
import type { Part, RunMode, RunnerSetup } from "./messages.ts";
import { chooseMode, chooseWindow, type PictureWish } from "./mode.ts";

export interface LoadedPicture {
  pack: Pack;
  mode: RunMode;
  pipeline: AnimateDiffPipeline;
  /** The UNet takes LoRAs of convolutions from requests. */
  convolutions: boolean;
  /** The full mode was tried, and did not fit. */
  tooLarge?: boolean;
  /** Frames of a pass, where memory is too short for the pack's own. */
  window?: number;
}

export interface LoadedVoice {
  pack: Pack;
  voice: DiaVoice;
}

/** Keeps the picture models of one pack and the voice of one pack in memory, and changes them when others are asked for. */
export class Models {
  readonly #setup: RunnerSetup;
  readonly #packs = new Map<string, Pack>();
  /** Packs whose picture models do not load, and why: their files do not change while the node runs. */
  readonly #broken = new Map<Pack, unknown>();
  #picture: LoadedPicture | undefined;
  #voice: LoadedVoice | undefined;
  /** Bytes of the GPU that were free before the picture models came. */
  #free: number | undefined;

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
    const [first] = models.#packs.values();
    if (first === undefined) throw new Error("no pack was given");
    // The voice comes first: what it leaves decides how the picture is drawn.
    if (models.#offers(first, "voice")) await models.voice(first.manifest.name);
    if (models.#offers(first, "picture")) await models.#openPicture(first);
    return models;
  }

  /** A pack whose picture models do not load leaves the node of use where another one can stand in for it. */
  async #openPicture(pack: Pack): Promise<void> {
    try {
      await this.picture(pack.manifest.name);
    } catch (error) {
      const packs = [...this.#packs.values()];
      const substitute = substituteFor({ packs, broken: [] }, pack);
      if (!substitute) throw error;
      await this.picture(substitute.manifest.name);
    }
  }

  /** Names of what is in memory: packs and their LoRAs. */
  get warm(): string[] {
    const loaded = [this.#picture?.pack, this.#voice?.pack].flatMap((pack) => pack?.manifest.name ?? []);
    const adapters = this.#picture?.pack.manifest.characters.flatMap(({ adapter }) => adapter ?? []) ?? [];
    return [...new Set([...loaded, ...adapters])];
  }

  /** Whether everything that a run of a pack needs is in memory. */
  isWarm(name: string, parts: readonly Part[]): boolean {
    const loaded = { picture: this.#picture?.pack.manifest.name, voice: this.#voice?.pack.manifest.name };
    return parts.every((part) => loaded[part] === name);
  }

  /** Makes room: frees what does not belong to a pack. */
  async keepOnly(name: string): Promise<void> {
    if (this.#picture && this.#picture.pack.manifest.name !== name) await this.#releasePicture();
    if (this.#voice && this.#voice.pack.manifest.name !== name) await this.#releaseVoice();
  }

  /** The picture models of a pack, in the mode that suits the clip. @throws Error when the pack does not draw here */
  async picture(name: string, wish: PictureWish = {}): Promise<LoadedPicture> {
    const pack = this.#pack(name, "picture");
    const loaded = await this.#loaded(pack, wish);
    const window = await chooseWindow(this.#setup, pack, wish.clip, loaded.mode, this.#free);
    return { ...loaded, window };
  }

  async #loaded(pack: Pack, wish: PictureWish): Promise<LoadedPicture> {
    if (this.#broken.has(pack)) throw this.#broken.get(pack);
    const same = this.#picture?.pack === pack;
    if (!same) await this.#releasePicture();
    if (!this.#picture) this.#free = await freeDeviceMemory(this.#setup.device);
    const mode = await chooseMode(this.#setup, pack, wish, this.#free, this.#picture?.mode);
    const kept = this.#picture;
    // Never the larger graph for those that don't need it: it rounds in another way.
    const convolutions = wish.clip?.cast?.convolutions ?? false;
    const sameMode = kept?.mode.deterministic === mode.deterministic && kept.mode.memory === mode.memory;
    if (kept && sameMode && kept.convolutions === convolutions) return kept;
    await this.#releasePicture();
    this.#picture = await this.#loadFitting(pack, mode, convolutions);
    return this.#picture;
  }

  /** Estimates may be wrong: models that do not fit are tried in the mode that spares memory. */
  async #loadFitting(pack: Pack, mode: RunMode, convolutions: boolean): Promise<LoadedPicture> {
    const load = async (mode: RunMode) => ({
      ...{ pack, mode, convolutions },
      pipeline: await this.#load(pack, mode, convolutions),
    });
    try {
      return await load(mode);
    } catch (error) {
      const settled = mode.memory === "small" || this.#setup.memory === "full";
      if (settled || !isOutOfMemory(error)) throw error;
      return { ...(await load({ ...mode, memory: "small" })), tooLarge: true };
    }
  }

  async #load(pack: Pack, mode: RunMode, convolutions: boolean): Promise<AnimateDiffPipeline> {
    const { deterministic, memory } = mode;
    const options = {
      ...this.#options(pack),
      ...{ deterministic, convolutions, smallMemory: memory === "small" },
    };
    try {
      return await loadAnimateDiff(pack, options);
    } catch (error) {
      // The larger graph is a wish of one job: without it the pack may still be of use.
      if (!isOutOfMemory(error) && !convolutions) this.#broken.set(pack, error);
      throw error;
    }
  }

  /** The voice of a pack. @throws Error when the pack does not speak here */
  async voice(name: string): Promise<LoadedVoice> {
    const pack = this.#pack(name, "voice");
    if (this.#voice?.pack === pack) return this.#voice;
    await this.#releaseVoice();
    const parts = { dir: pack.folder, manifest: pack.manifest };
    this.#voice = { pack, voice: await loadDia(parts, this.#options(pack)) };
    return this.#voice;
  }

  #pack(name: string, part: Part): Pack {
    const pack = this.#packs.get(name);
    if (!pack) throw new Error(`pack "${name}" is not on this node`);
    if (!this.#offers(pack, part))
      throw new Error(`pack "${name}" does not ${part === "picture" ? "draw" : "speak"}`);
    return pack;
  }

  #offers(pack: Pack, part: Part): boolean {
    return this.#setup.parts.includes(part) && pack.manifest[part] !== undefined;
  }

  #options(pack: Pack) {
    const { device, threads, cacheDir } = this.#setup;
    return {
      cacheDir: join(cacheDir, pack.manifest.name),
      device: device.kind,
      threads: threads || (device.kind === "cpu" ? availableParallelism() : 0),
    };
  }

  async #releasePicture(): Promise<void> {
    const loaded = this.#picture;
    this.#picture = undefined;
    await loaded?.pipeline.close();
  }

  async #releaseVoice(): Promise<void> {
    const loaded = this.#voice;
    this.#voice = undefined;
    await loaded?.voice.release();
  }
}

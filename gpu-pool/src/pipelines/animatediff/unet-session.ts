import type { OnnxModel } from "../../graphs/builder/types.ts";
import type { UnetMotionShape } from "../../graphs/config/unet.ts";
import type { LoraScope } from "../../graphs/target/target.ts";
import { buildUnetMotion, SYMBOLIC_UNET_SIZES, type UnetSizes } from "../../graphs/unet-motion.ts";
import {
  type ClipSize,
  numbersToReserve,
  planUnet,
  smallModeChunks,
  type UnetPlan,
} from "../../graphs/unet-plan.ts";
import { createSession, type Feeds, int64, type Session } from "../../onnx/session.ts";
import type { WeightSet } from "../../weights/weight-set.ts";
import { nativeParts, needsFixedSizes, sessionOptions, targetOf } from "./device.ts";
import type { LoadOptions } from "./types.ts";

export interface UnetParts {
  shape: UnetMotionShape;
  weights: WeightSet;
  options: LoadOptions;
  /** Layers that take LoRA matrices. */
  lora: LoraScope;
}

/**
 * The UNet's session for the size at hand. On the CPU one graph serves every size. On a GPU the graph is planned for
 * a frame count (and, when results must be bit-stable, for every size); it is made anew when that changes, and only
 * one is in memory.
 */
export class UnetSession {
  readonly #unet: UnetParts;
  #current: { key: string; session: Session; model: OnnxModel } | undefined;

  private constructor(unet: UnetParts) {
    this.#unet = unet;
  }

  /** Opens the session for a first size. */
  static async open(parts: UnetParts, size: ClipSize): Promise<UnetSession> {
    const unet = new UnetSession(parts);
    await unet.at(size);
    return unet;
  }

  get model(): OnnxModel {
    if (!this.#current) throw new Error("the UNet is closed");
    return this.#current.model;
  }

  /** @param reuse layers that a second step computes anew; absent for graphs of one step */
  async at(size: ClipSize, reuse?: number): Promise<Session> {
    const { plan, sizes } = this.#plan(size);
    const key = JSON.stringify([plan, sizes, reuse]);
    if (this.#current?.key === key) return this.#current.session;
    await this.close();
    const { shape, weights, lora, options } = this.#unet;
    const target = targetOf(options, plan);
    const reserve = this.#reserves;
    const model = buildUnetMotion({ shape, weights, target, lora, sizes, reuse, reserve });
    const session = await createSession(model, options.cacheDir, sessionOptions(options));
    this.#current = { key, session, model };
    return session;
  }

  /** What a pass takes at once before anything else, in the small mode of a GPU. */
  reserve(size: ClipSize): Feeds {
    if (!this.#reserves) return {};
    return { reserve: int64([numbersToReserve(this.#unet.shape, size)], [1]) };
  }

  get #reserves(): boolean {
    const { device, smallMemory } = this.#unet.options;
    return device === "cuda" && smallMemory === true;
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.session.release();
  }

  #plan(size: ClipSize): { plan: UnetPlan | undefined; sizes: UnetSizes } {
    if (this.#unet.options.device === "cpu") return { plan: undefined, sizes: SYMBOLIC_UNET_SIZES };
    // One graph for guided and unguided steps: what fits both.
    const chunks = this.#unet.options.smallMemory ? smallModeChunks(nativeParts()) : 1;
    const [single, double] = [1, 2].map((batch) => planUnet(this.#unet.shape, { ...size, batch }, chunks));
    const plan = {
      temporalPacking: Math.min(single?.temporalPacking ?? 1, double?.temporalPacking ?? 1),
      feedForwardChunks: Math.max(single?.feedForwardChunks ?? 1, double?.feedForwardChunks ?? 1),
    };
    const { batch, frames, height, width } = size;
    const fixed = needsFixedSizes(this.#unet.options) ? { batch, height, width } : {};
    return { plan, sizes: { ...SYMBOLIC_UNET_SIZES, frames, ...fixed } };
  }
}

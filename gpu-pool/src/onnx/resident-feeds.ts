import type { NativeOps } from "./native-ops.ts";
import type { Feeds } from "./session.ts";

/**
 * Feeds that are the same in many runs, kept on the GPU between them instead of being sent every time (a clip's LoRAs
 * are over 100 MB). Nothing changes where the own operators' library is not there, or the GPU is full.
 */
export class ResidentFeeds {
  readonly #native: Pick<NativeOps, "keep" | "drop"> | undefined;
  readonly #most: number;
  /** Kept feeds, whose arrays must not go, by what `drop` wants to know; 0 for those that did not fit. */
  readonly #kept = new Map<Feeds, number>();

  /**
   * @param most sets of feeds at once; those that come later are sent in every run
   * @param native the own operators' library, where it was built and there is a GPU
   */
  constructor(most: number, native: Pick<NativeOps, "keep" | "drop"> | undefined) {
    this.#most = most;
    this.#native = native;
  }

  /** Feeds for sessions on CUDA alone, in the number format of their inputs. They must not be changed afterwards. */
  keep(feeds: Feeds): void {
    if (!this.#native || this.#kept.has(feeds) || this.#kept.size >= this.#most) return;
    const arrays = Object.values(feeds)
      .filter(({ data }) => data.byteLength > 0)
      // Asking for `buffer` settles where a small array lies.
      .map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    if (arrays.length > 0) this.#kept.set(feeds, this.#native.keep(arrays));
  }

  /** Gives the GPU's memory back. */
  clear(): void {
    for (const kept of this.#kept.values()) if (kept !== 0) this.#native?.drop(kept);
    this.#kept.clear();
  }
}

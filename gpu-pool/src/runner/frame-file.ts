import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { RgbFrames } from "../pipelines/animatediff/index.ts";
import type { FrameFile } from "./messages.ts";

/** No two clips of a process share a file: whoever reads one along would take them for the same. */
let files = 0;

/**
 * Puts the frames of a clip into a file as they are finished, for another process to read along. A clip that is begun
 * anew (in a smaller size, by another pack) gets a new file.
 */
export class FrameFileWriter {
  readonly #folder: string;
  readonly #fps: number;
  #handle: FileHandle | undefined;
  #written: FrameFile | undefined;

  constructor(folder: string, fps: number) {
    this.#folder = folder;
    this.#fps = fps;
  }

  /**
   * @param first index of the chunk's first frame; 0 begins a clip
   * @returns the file with the frames that are in it by now
   */
  async write({ data, count, width, height }: RgbFrames, first: number): Promise<FrameFile> {
    if (first === 0) await this.#begin({ width, height });
    const written = this.#written;
    if (!this.#handle || written?.count !== first) throw new Error(`frame ${first} came out of order`);
    await this.#handle.writeFile(data);
    this.#written = { ...written, count: first + count };
    return this.#written;
  }

  async #begin(size: { width: number; height: number }): Promise<void> {
    await this.close();
    const file = join(this.#folder, `frames-${files++}.rgb`);
    this.#handle = await open(file, "w");
    this.#written = { ...size, file, count: 0, fps: this.#fps };
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

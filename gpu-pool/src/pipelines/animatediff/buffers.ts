/**
 * Arrays that are needed for a moment in every step, and used again by the next. Fresh ones cost a page fault for each
 * 4 KiB: 32 frames of 1024x1024 would take 100 MB of them a step, which is 50 to 150 ms.
 */
export class Buffers {
  readonly #arrays = new Map<string, Float32Array>();

  /** @returns the array of a purpose, with whatever was left in it; whoever had it before must be done with it */
  take(purpose: string, length: number): Float32Array {
    const known = this.#arrays.get(purpose);
    if (known?.length === length) return known;
    const array = new Float32Array(length);
    this.#arrays.set(purpose, array);
    return array;
  }
}

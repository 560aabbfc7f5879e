/** Jobs whose place is forgotten first when there are more than this. */
const MAX_CURSORS = 10_000;

/**
 * How far `/stream` has been read, per job: RunPod hands every chunk out once. The place is this process's own; an
 * edge that has not seen the job starts from its first event.
 */
export class StreamCursors {
  readonly #places = new Map<string, number>();

  get(jobId: string): number {
    return this.#places.get(jobId) ?? 0;
  }

  set(jobId: string, seq: number): void {
    this.#places.delete(jobId);
    this.#places.set(jobId, seq);
    const [oldest] = this.#places.keys();
    if (this.#places.size > MAX_CURSORS && oldest !== undefined) this.#places.delete(oldest);
  }
}

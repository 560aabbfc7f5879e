import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import type { ServiceError } from "@grpc/grpc-js";
import type { RunCall } from "../dispatcher/transport.ts";

/** Messages that may wait to be written down before the node is held back. */
const MAX_WAITING = 256;

/** The messages of one attempt on a shared stream, waiting to be taken. */
export class RunQueue implements RunCall {
  readonly #onCancel: () => void;
  readonly #onRoom: () => void;
  readonly #waiting: RunResponse__Output[] = [];
  #ended: { error: ServiceError | undefined } | undefined;
  #wake: (() => void) | undefined;

  /** @param onRoom called when a queue that was full can take messages again, or is of no interest any more */
  constructor(onCancel: () => void, onRoom: () => void) {
    this.#onCancel = onCancel;
    this.#onRoom = onRoom;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  push(message: RunResponse__Output): void {
    if (this.#ended) return;
    this.#waiting.push(message);
    this.#wake?.();
  }

  /** What has come before is still handed out; then iteration ends, or throws. */
  end(error: ServiceError | undefined): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  cancel(): void {
    if (!this.#ended) this.#onCancel();
    // Nobody may come for what still waits, and the stream has other calls.
    this.#onRoom();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunResponse__Output> {
    for (;;) {
      const wasFull = this.isFull;
      const message = this.#waiting.shift();
      if (wasFull) this.#onRoom();
      if (message) yield message;
      else if (this.#ended?.error) throw this.#ended.error;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

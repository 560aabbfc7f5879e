import { breathe } from "../../breathe.ts";
import { type Generation, type GenerationRequest, generate, type OnRows } from "./generate.ts";
import type { DiaModel } from "./model.ts";

interface Waiting {
  readonly requests: readonly GenerationRequest[];
  readonly signal: AbortSignal | undefined;
  readonly alone: boolean;
  /** By the index among the own requests. */
  readonly onRows: OnRows | undefined;
  readonly resolve: (generations: Generation[]) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One decoder for everybody: dialogues that wait at the same time are made together, as far as their voice
 * prompts and top-k allow it, and come out as each would alone.
 */
export class GenerationQueue {
  readonly #model: DiaModel;
  readonly #maxBatch: number;
  #waiting: Waiting[] = [];
  #working = false;

  constructor(model: DiaModel, maxBatch: number) {
    this.#model = model;
    this.#maxBatch = maxBatch;
  }

  /**
   * @param requests made in one batch, all with the same prompt length and top-k
   * @throws the signal's reason; the dialogues of others in the same batch go on
   */
  generate(
    requests: readonly GenerationRequest[],
    options: {
      signal?: AbortSignal | undefined;
      onRows?: Waiting["onRows"];
      /** No dialogue of others in the batch: on a GPU, its company may round otherwise. */
      alone?: boolean | undefined;
    } = {},
  ): Promise<Generation[]> {
    return new Promise((resolve, reject) => {
      const { signal, onRows, alone = false } = options;
      this.#waiting.push({ requests, signal, onRows, alone, resolve, reject });
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    // Those who ask in the same moment go together.
    await breathe();
    while (this.#waiting.length > 0) await this.#makeBatch(this.#nextBatch());
    this.#working = false;
  }

  #nextBatch(): Waiting[] {
    const canceled = this.#waiting.filter(({ signal }) => signal?.aborted);
    for (const { reject, signal } of canceled) reject(signal?.reason);
    this.#waiting = this.#waiting.filter((waiting) => !canceled.includes(waiting));
    const batch: Waiting[] = [];
    let size = 0;
    for (const waiting of this.#waiting) {
      const first = batch[0];
      if (first?.alone) break;
      const fits = size + waiting.requests.length <= this.#maxBatch;
      if (first && (waiting.alone || kindOf(waiting) !== kindOf(first) || !fits)) continue;
      batch.push(waiting);
      size += waiting.requests.length;
    }
    this.#waiting = this.#waiting.filter((waiting) => !batch.includes(waiting));
    return batch;
  }

  async #makeBatch(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    const owners = batch.flatMap((waiting) => waiting.requests.map(() => waiting));
    // Whose report fails has lost interest; the others go on.
    const lost = new Set<Waiting>();
    const gone = (waiting: Waiting | undefined) =>
      waiting === undefined || waiting.signal?.aborted === true || lost.has(waiting);
    const onRows: OnRows = async (rows, rowsOf) => {
      for (const waiting of batch) {
        if (gone(waiting)) continue;
        const first = owners.indexOf(waiting);
        try {
          await waiting.onRows?.(rows, (index) => rowsOf(first + index));
        } catch (error) {
          lost.add(waiting);
          waiting.reject(error);
        }
      }
    };
    try {
      const unwanted = (index: number) => gone(owners[index]);
      const requests = batch.flatMap((waiting) => waiting.requests);
      const made = await generate(this.#model, requests, { unwanted, onRows });
      for (const waiting of batch) {
        if (waiting.signal?.aborted) waiting.reject(waiting.signal.reason);
        else waiting.resolve(made.filter((_, i) => owners[i] === waiting));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** What the dialogues of one batch must have in common. */
function kindOf({ requests }: Waiting): string {
  const [first] = requests;
  return `${first?.prompt?.length ?? 0} ${first?.sampling.topK}`;
}

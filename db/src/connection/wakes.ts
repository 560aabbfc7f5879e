import type { Wake } from "../verb.ts";

/** Who listens in this process. A listener that throws does not keep the others from hearing. */
export class WakeHub {
  readonly #listeners = new Set<(wake: Wake) => void>();

  subscribe(listener: (wake: Wake) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(wakes: Iterable<Wake>): void {
    for (const wake of wakes) {
      for (const listener of this.#listeners) {
        try {
          listener(wake);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }
}

/** One of each, so that a batch of a hundred jobs wakes the dispatcher once. */
export function distinctWakes(wakes: Wake[]): Wake[] {
  const seen = new Map<string, Wake>();
  for (const wake of wakes) seen.set(nameOf(wake), wake);
  return [...seen.values()];
}

function nameOf(wake: Wake): string {
  if (wake.type === "ended") return `ended:${wake.job.id}`;
  if (wake.type === "characters") return `characters:${wake.tenant}`;
  return "jobId" in wake ? `${wake.type}:${wake.jobId}` : wake.type;
}

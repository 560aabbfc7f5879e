import { type LoraAdapter, loadLora } from "./adapter.ts";
import type { LoraTargets } from "./targets.ts";

/** Adapters of a few requests: as much as one large LoRA in float32. */
const MAX_BYTES = 2 * 1024 ** 3;

/** LoRA files that come with requests, matched to one set of models and kept by hash; the least recently used go first. */
export class AdapterFiles {
  readonly #options: { targets: LoraTargets; layersPerBlock: number };
  readonly #maxBytes: number;
  readonly #loaded = new Map<string, { adapter: LoraAdapter; bytes: number }>();

  constructor(options: { targets: LoraTargets; layersPerBlock: number }, maxBytes = MAX_BYTES) {
    this.#options = options;
    this.#maxBytes = maxBytes;
  }

  /** Hashes of what is in memory, the least recently used first. */
  get hashes(): string[] {
    return [...this.#loaded.keys()];
  }

  /** @throws LoraError, SafetensorsError */
  async get({ file, sha256, name }: { file: string; sha256: string; name: string }): Promise<LoraAdapter> {
    const known = this.#loaded.get(sha256);
    if (known) {
      this.#loaded.delete(sha256);
      this.#loaded.set(sha256, known);
      return known.adapter;
    }
    const adapter = await loadLora(file, { ...this.#options, name });
    this.#loaded.set(sha256, { adapter, bytes: bytesOf(adapter) });
    this.#evict();
    return adapter;
  }

  #evict(): void {
    let bytes = [...this.#loaded.values()].reduce((sum, one) => sum + one.bytes, 0);
    for (const [sha256, one] of this.#loaded) {
      if (bytes <= this.#maxBytes || this.#loaded.size === 1) return;
      this.#loaded.delete(sha256);
      bytes -= one.bytes;
    }
  }
}

function bytesOf({ layers }: LoraAdapter): number {
  let bytes = 0;
  for (const model of layers.values())
    for (const { a, b } of model.values()) bytes += a.byteLength + b.byteLength;
  return bytes;
}

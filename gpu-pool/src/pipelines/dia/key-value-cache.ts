import { int64, type TensorValue } from "../../onnx/session.ts";
import type { DiaModel } from "./model.ts";

/** Numbers by which the own operator knows whose keys and values it keeps. */
let caches = 0;

/**
 * Keys and values of all rows so far, `[layers, 2B, kv heads, P, dim]`, kept on the host between runs; the own
 * operator keeps those of the batch that runs, one batch at a time.
 */
export class KeyValueCache {
  /** 0: on the host; undefined where the decoder has no such input. */
  readonly #id: number | undefined;
  readonly #outer: number;
  readonly #dim: number;
  readonly #shape: (length: number) => number[];
  #length = 0;
  #keys: TensorValue;
  #values: TensorValue;

  /** @param once for a single run, beside the batch that the operator keeps keys and values of */
  constructor(model: DiaModel, batch: number, once = false) {
    const { num_hidden_layers: layers, num_key_value_heads: heads, head_dim: dim } = model.config.decoder;
    if (model.nativeLoop && !once) caches += 1;
    this.#id = model.nativeLoop ? (once ? 0 : caches) : undefined;
    this.#dim = dim;
    this.#outer = layers * 2 * batch * heads;
    this.#shape = (length) => [layers, 2 * batch, heads, length, dim];
    const empty = (): TensorValue => {
      const { dtype } = model.target;
      const data = dtype === "float16" ? new Uint16Array(0) : new Float32Array(0);
      return { dtype, data, shape: this.#shape(0) };
    };
    this.#keys = empty();
    this.#values = empty();
  }

  /** What the next run of the decoder is fed. */
  get feeds(): Record<string, TensorValue> {
    const past = { past_k: this.#keys, past_v: this.#values };
    return this.#id === undefined
      ? past
      : { ...past, cache: int64([this.#id, this.#id ? this.#length : 0, 0, 0, 0], [5]) };
  }

  /**
   * What a run of no frames is fed that brings one of several dialogues to the operator.
   * @param longest bytes of the longest text
   */
  opening(dialogue: number, dialogues: number, longest: number): TensorValue {
    return int64([this.#id ?? 0, 0, dialogue, dialogues, longest], [5]);
  }

  /** All dialogues were opened, each with `rows` rows. */
  opened(rows: number): void {
    this.#length = rows;
  }

  /** Adds the rows that a run made. @param made how many there are */
  append(keys: TensorValue | undefined, values: TensorValue | undefined, made: number): void {
    if (this.#id) {
      this.#length += made;
      return;
    }
    const added = keys?.shape[3];
    if (!keys || !values || added === undefined) throw new Error("the decoder gave no keys and values");
    this.#keys = this.#grown(this.#keys, keys, added);
    this.#values = this.#grown(this.#values, values, added);
    this.#length += added;
  }

  #grown(old: TensorValue, fresh: TensorValue, added: number): TensorValue {
    if (this.#length === 0) return fresh;
    const length = this.#length + added;
    const join = <T extends Float32Array | Uint16Array>(a: T, b: T, out: T): T => {
      for (let i = 0; i < this.#outer; i++) {
        const from = i * length * this.#dim;
        out.set(a.subarray(i * this.#length * this.#dim, (i + 1) * this.#length * this.#dim), from);
        out.set(
          b.subarray(i * added * this.#dim, (i + 1) * added * this.#dim),
          from + this.#length * this.#dim,
        );
      }
      return out;
    };
    const size = this.#outer * length * this.#dim;
    const shape = this.#shape(length);
    if (old.data instanceof Float32Array && fresh.data instanceof Float32Array) {
      return { dtype: old.dtype, data: join(old.data, fresh.data, new Float32Array(size)), shape };
    }
    if (old.data instanceof Uint16Array && fresh.data instanceof Uint16Array) {
      return { dtype: old.dtype, data: join(old.data, fresh.data, new Uint16Array(size)), shape };
    }
    throw new Error("keys and values must be float32 or float16");
  }
}

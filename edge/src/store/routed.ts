import { ApiError } from "../errors/table.ts";
import type { ByteRange } from "./range.ts";
import type { SignGetOptions, Store } from "./store.ts";

const elsewhere = (key: string) => (key.startsWith("@url/") ? key.slice("@url/".length) : undefined);

/**
 * Several stores as one: keys like `@name/path` belong to the store of that name, `@url/…` is an object elsewhere that
 * only its URL opens, all others belong to the main one.
 * What lies in a named store is its owner's to delete: sweeps and retention see the main store only.
 */
export class RoutedStore implements Store {
  readonly kind: Store["kind"];
  readonly main: Store;
  readonly #named: ReadonlyMap<string, Store>;

  constructor(main: Store, named: ReadonlyMap<string, Store>) {
    this.kind = main.kind;
    this.main = main;
    this.#named = named;
  }

  #route(key: string): [Store, string] {
    if (!key.startsWith("@")) return [this.main, key];
    const slash = key.indexOf("/");
    const store = this.#named.get(key.slice(1, slash));
    if (!store) throw new ApiError("gone", "the destination of this render is no longer configured");
    return [store, key.slice(slash + 1)];
  }

  async signPut(key: string, options: { expiresInSeconds: number; contentType: string }) {
    const [store, path] = this.#route(key);
    return store.signPut(path, options);
  }
  async signInternalGet(key: string, expiresInSeconds: number) {
    const [store, path] = this.#route(key);
    return store.signInternalGet(path, expiresInSeconds);
  }
  async signGet(key: string, options: SignGetOptions) {
    const url = elsewhere(key);
    if (url !== undefined) return url;
    const [store, path] = this.#route(key);
    return store.signGet(path, options);
  }
  async put(key: string, body: Uint8Array, contentType: string) {
    const [store, path] = this.#route(key);
    return store.put(path, body, contentType);
  }
  async putFile(key: string, file: string, contentType: string) {
    const [store, path] = this.#route(key);
    return store.putFile(path, file, contentType);
  }
  async head(key: string) {
    const [store, path] = this.#route(key);
    return store.head(path);
  }
  async get(key: string, range?: ByteRange) {
    const [store, path] = this.#route(key);
    return store.get(path, range);
  }
  async digest(key: string) {
    const [store, path] = this.#route(key);
    return store.digest(path);
  }
  deletePrefix(prefix: string) {
    return this.main.deletePrefix(prefix);
  }
  listJobs() {
    return this.main.listJobs();
  }
  check() {
    return this.main.check();
  }
}

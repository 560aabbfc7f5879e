import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guardedFetch } from "@cartoon/protos";
import { z } from "zod";
import type { AssetCache } from "./cache.ts";

/** A file could not be had, in words for the one who named it. */
export class AssetError extends Error {
  override readonly name = "AssetError";
  /** Another attempt may succeed: the other side did not answer. */
  readonly retryable: boolean;
  constructor(message: string, retryable = false) {
    super(message);
    this.retryable = retryable;
  }
}

export interface FetcherOptions {
  cache: AssetCache;
  /** Where it is remembered what URLs gave. */
  folder: string;
  /** Bytes of a file that a user names by URL. */
  maxBytes: number;
  /** `host:port` pairs on private networks that users may name; the operator's choice. */
  allowHosts: readonly string[];
}

const FETCH_MS = 300_000;
/** What a URL gave last time. */
const Remembered = z.object({ sha256: z.string(), etag: z.string() });

/** Brings files into the cache: those of the store by signed URLs, those that users name through the guard. */
export class AssetFetcher {
  readonly #options: FetcherOptions;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Private hosts that users may name. */
  get allowHosts(): readonly string[] {
    return this.#options.allowHosts;
  }

  /**
   * A file that the edge vouches for by its hash.
   * @param target name for it in a folder of the caller's
   * @param allowHosts the stores that the edge named
   * @throws AssetError
   */
  async registered(
    source: { sha256: string; url: string | undefined; bytes: number },
    target: string,
    allowHosts: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { cache } = this.#options;
    if (await cache.link(source.sha256, target)) return;
    const { url } = source;
    if (!url) throw new AssetError("the file is no longer there: its character was removed or replaced");
    const options = { maxBytes: source.bytes, allowHosts, wanted: source.sha256, retryable: true };
    await this.#download(url, options, signal);
    if (!(await cache.link(source.sha256, target)))
      throw new AssetError("the cache has no room for the file");
  }

  /**
   * A file that a user names by URL. It is asked for again each time, unless its hash is known and the URL is known
   * to have given it; where the server says that it has not changed, the cached one serves.
   * @param wanted hash that it must have; empty for any
   * @returns its SHA-256
   * @throws AssetError
   */
  async byUrl(url: string, wanted: string, target: string, signal: AbortSignal): Promise<string> {
    const { cache, maxBytes, allowHosts } = this.#options;
    const known = await this.#recall(url);
    if (known && wanted === known.sha256 && (await cache.link(wanted, target))) return wanted;
    const etag = known && (await cache.has(known.sha256)) ? known.etag : "";
    const options = { maxBytes, allowHosts, wanted, etag, known: known?.sha256, retryable: false };
    const sha256 = await this.#download(url, options, signal);
    if (!(await cache.link(sha256, target))) throw new AssetError("the cache has no room for the file");
    return sha256;
  }

  async #download(
    url: string,
    options: {
      maxBytes: number;
      allowHosts: readonly string[];
      wanted: string;
      retryable: boolean;
      etag?: string;
      known?: string;
    },
    signal: AbortSignal,
  ): Promise<string> {
    const { wanted, etag, known, retryable } = options;
    const incoming = await this.#options.cache.receive();
    try {
      const { status, headers } = await guardedFetch(url, {
        maxBytes: options.maxBytes,
        timeoutMs: FETCH_MS,
        allowHosts: options.allowHosts,
        headers: etag ? { "if-none-match": etag } : {},
        signal,
        sink: (chunk) => incoming.write(chunk),
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        if (isTroubleOfTheDisk(error)) throw error;
        throw new AssetError(error instanceof Error ? error.message : String(error), retryable);
      });
      if (status === 304 && known) {
        await incoming.discard();
        return checked(known, wanted);
      }
      if (status !== 200) throw new AssetError(`the server answered ${status}`, retryable);
      const sha256 = checked(incoming.digest(), wanted);
      await incoming.keep(sha256);
      if (!retryable) await this.#remember(url, { sha256, etag: headers.etag ?? "" });
      return sha256;
    } catch (error) {
      await incoming.discard();
      throw error;
    }
  }

  // Under a hash of the URL: a signed one is a secret.
  #note(url: string): string {
    return join(this.#options.folder, `${createHash("sha256").update(url).digest("hex").slice(0, 40)}.json`);
  }

  async #recall(url: string): Promise<z.infer<typeof Remembered> | undefined> {
    const text = await readFile(this.#note(url), "utf8").catch(() => "null");
    return Remembered.nullable().catch(null).parse(JSON.parse(text)) ?? undefined;
  }

  async #remember(url: string, note: z.infer<typeof Remembered>): Promise<void> {
    const path = this.#note(url);
    await writeFile(`${path}.part`, JSON.stringify(note));
    await rename(`${path}.part`, path);
  }
}

function checked(sha256: string, wanted: string): string {
  if (wanted !== "" && wanted !== sha256)
    throw new AssetError(`the file is another one now: its SHA-256 is ${sha256}, not ${wanted}`);
  return sha256;
}

const isTroubleOfTheDisk = (error: unknown) =>
  error instanceof Error && "code" in error && /^E[A-Z]+$/.test(String(error.code)) && "syscall" in error;

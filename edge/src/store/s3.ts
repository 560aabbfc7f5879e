import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AwsClient } from "aws4fetch";
import type { S3Config } from "../env.ts";
import { contentTypeOf } from "./content-type.ts";
import { parseStoreKey } from "./key.ts";
import type { ByteRange } from "./range.ts";
import type { ObjectInfo, PutTarget, SignGetOptions, Store, StoredObject } from "./store.ts";

const REQUEST_MS = 60_000;
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 100;
const MAX_PRESIGN_SECONDS = 604_800;

/** Any S3-compatible bucket, path style. Nodes and clients talk to it by presigned URLs. */
export class S3Store implements Store {
  readonly kind = "s3";
  readonly #client: AwsClient;
  readonly #config: S3Config;
  #filePut: Promise<void> = Promise.resolve();

  constructor(config: S3Config) {
    this.#config = config;
    this.#client = new AwsClient({
      accessKeyId: config.accessKeyId,
      secretAccessKey: config.secretAccessKey,
      region: config.region,
      service: "s3",
    });
  }

  #url(key: string, endpoint = this.#config.endpoint): URL {
    const prefix = this.#config.prefix.replace(/^\/+|\/+$/g, "");
    const path = [this.#config.bucket, prefix, key].filter((part) => part !== "").join("/");
    return new URL(`${endpoint.replace(/\/+$/, "")}/${path}`);
  }

  async #presign(method: "GET" | "PUT", url: URL, seconds: number, headers: Record<string, string> = {}) {
    url.searchParams.set("X-Amz-Expires", String(Math.min(MAX_PRESIGN_SECONDS, Math.ceil(seconds))));
    const signed = await this.#client.sign(url.href, {
      method,
      headers,
      aws: { signQuery: true, allHeaders: true },
    });
    return signed.url;
  }

  async signPut(key: string, options: { expiresInSeconds: number; contentType: string }): Promise<PutTarget> {
    const headers = { "content-type": options.contentType };
    const url = this.#url(parseStoreKey(key));
    return { url: await this.#presign("PUT", url, options.expiresInSeconds, headers), headers };
  }

  async signInternalGet(key: string, expiresInSeconds: number): Promise<string> {
    return this.#presign("GET", this.#url(parseStoreKey(key)), expiresInSeconds);
  }

  async signGet(key: string, options: SignGetOptions): Promise<string> {
    const url = this.#url(parseStoreKey(key), this.#config.publicEndpoint);
    url.searchParams.set("response-content-type", contentTypeOf(key));
    if (options.downloadAs !== undefined)
      url.searchParams.set("response-content-disposition", `attachment; filename="${options.downloadAs}"`);
    return this.#presign("GET", url, options.expiresInSeconds);
  }

  /** Every request is safe to repeat: objects are written as a whole, under keys of their own. */
  async #send(url: URL, init: RequestInit, attempt = 1): Promise<Response> {
    const signed = await this.#client.sign(url.href, init);
    try {
      const response = await fetch(signed, { signal: AbortSignal.timeout(REQUEST_MS) });
      if (response.status < 500 || attempt === ATTEMPTS) return response;
      await response.body?.cancel();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, FIRST_WAIT_MS * 2 ** attempt));
    return this.#send(url, init, attempt + 1);
  }

  async put(key: string, body: Uint8Array, contentType: string): Promise<void> {
    const response = await this.#send(this.#url(parseStoreKey(key)), {
      method: "PUT",
      headers: { "content-type": contentType },
      body: new Uint8Array(body),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the bucket answered ${response.status} to a PUT`);
  }

  /** Large files are held in memory one at a time: a bucket wants to know length and hash before the first byte. */
  putFile(key: string, path: string, contentType: string): Promise<void> {
    const mine = this.#filePut.then(async () => this.put(key, await readFile(path), contentType));
    this.#filePut = mine.catch(() => {});
    return mine;
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const response = await this.#send(this.#url(parseStoreKey(key)), { method: "HEAD" });
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`the bucket answered ${response.status} to a HEAD`);
    return infoOf(key, response);
  }

  async get(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    const headers = range ? { range: `bytes=${range.start}-${range.end}` } : undefined;
    const response = await this.#send(this.#url(parseStoreKey(key)), { headers });
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok || !response.body) throw new Error(`the bucket answered ${response.status} to a GET`);
    return { ...infoOf(key, response), body: response.body as ReadableStream<Uint8Array> };
  }

  async digest(key: string): Promise<{ bytes: number; sha256: string } | undefined> {
    const object = await this.get(key);
    if (!object) return undefined;
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of object.body) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    return { bytes, sha256: hash.digest("hex") };
  }

  async #list(prefix: string, delimiter: string, token: string | undefined) {
    const url = this.#url("");
    url.pathname = `/${this.#config.bucket}`;
    const ownPrefix = this.#config.prefix.replace(/^\/+|\/+$/g, "");
    url.searchParams.set("list-type", "2");
    url.searchParams.set("prefix", ownPrefix === "" ? prefix : `${ownPrefix}/${prefix}`);
    if (delimiter !== "") url.searchParams.set("delimiter", delimiter);
    if (token !== undefined) url.searchParams.set("continuation-token", token);
    const response = await this.#send(url, {});
    const text = await response.text();
    if (!response.ok) throw new Error(`the bucket answered ${response.status} to a listing`);
    return parseListing(text, ownPrefix);
  }

  async deletePrefix(prefix: string): Promise<void> {
    let token: string | undefined;
    do {
      const page = await this.#list(prefix, "", token);
      for (const { key } of page.objects) {
        const response = await this.#send(this.#url(key), { method: "DELETE" });
        await response.body?.cancel();
      }
      token = page.next;
    } while (token !== undefined);
  }

  async *listJobs(): AsyncIterable<{ jobId: string; modifiedAt: Date }> {
    const latest = new Map<string, Date>();
    let token: string | undefined;
    do {
      const page = await this.#list("renders/", "", token);
      for (const { key, modifiedAt } of page.objects) {
        const jobId = key.split("/")[1];
        if (jobId === undefined) continue;
        const known = latest.get(jobId);
        if (!known || known < modifiedAt) latest.set(jobId, modifiedAt);
      }
      token = page.next;
    } while (token !== undefined);
    for (const [jobId, modifiedAt] of latest) yield { jobId, modifiedAt };
  }

  async check(): Promise<void> {
    await this.#list("renders/", "/", undefined);
  }
}

function infoOf(key: string, response: Response): ObjectInfo {
  const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  return {
    bytes: Number(total ?? response.headers.get("content-length") ?? 0),
    contentType: contentTypeOf(key),
    etag: response.headers.get("etag") ?? "",
    modifiedAt: new Date(response.headers.get("last-modified") ?? 0),
  };
}

const unescapeXml = (text: string) =>
  text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");

// ListObjectsV2 answers are flat and made by machines; our own keys need no more of XML than this.
function parseListing(xml: string, ownPrefix: string) {
  const objects = [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)].map(([, entry = ""]) => {
    const full = unescapeXml(/<Key>([\s\S]*?)<\/Key>/.exec(entry)?.[1] ?? "");
    const modified = /<LastModified>([\s\S]*?)<\/LastModified>/.exec(entry)?.[1] ?? "";
    return {
      key: ownPrefix === "" ? full : full.slice(ownPrefix.length + 1),
      modifiedAt: new Date(modified),
    };
  });
  const next = /<NextContinuationToken>([\s\S]*?)<\/NextContinuationToken>/.exec(xml)?.[1];
  return { objects, next: next === undefined ? undefined : unescapeXml(next) };
}

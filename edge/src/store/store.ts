import type { ByteRange } from "./range.ts";

export interface ObjectInfo {
  bytes: number;
  contentType: string;
  etag: string;
  modifiedAt: Date;
}

export interface StoredObject extends ObjectInfo {
  body: ReadableStream<Uint8Array>;
}

export interface PutTarget {
  url: string;
  headers: Record<string, string>;
}

export interface SignGetOptions {
  expiresInSeconds: number;
  /** Asks the browser to save the file under this name. */
  downloadAs?: string;
  /** Origin of the edge as the client sees it; used by stores that the edge itself serves. */
  origin: string;
}

/**
 * Where results lie. Keys are paths like `renders/job_1/a1/clip.mp4`. A write is there as a whole or not at all.
 */
export interface Store {
  readonly kind: "folder" | "s3";
  /** URL for one PUT by a node. The body must have the given type. */
  signPut(key: string, options: { expiresInSeconds: number; contentType: string }): Promise<PutTarget>;
  /** URL for GETs by a node, which reaches the store by the internal address. */
  signInternalGet(key: string, expiresInSeconds: number): Promise<string>;
  /** URL for GETs by a client. */
  signGet(key: string, options: SignGetOptions): Promise<string>;
  put(key: string, body: Uint8Array, contentType: string): Promise<void>;
  /** Keeps a copy of a file on this machine. */
  putFile(key: string, path: string, contentType: string): Promise<void>;
  head(key: string): Promise<ObjectInfo | undefined>;
  get(key: string, range?: ByteRange): Promise<StoredObject | undefined>;
  /** Size and SHA-256 (hex) of what is really there. */
  digest(key: string): Promise<{ bytes: number; sha256: string } | undefined>;
  deletePrefix(prefix: string): Promise<void>;
  /** Names of the jobs that have anything in the store, with the time of the last change. */
  listJobs(): AsyncIterable<{ jobId: string; modifiedAt: Date }>;
  /** Throws when the store can't be used. */
  check(): Promise<void>;
}

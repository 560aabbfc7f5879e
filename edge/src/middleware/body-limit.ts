import { scanJson } from "@cartoon/protos/scan-json";
import { createMiddleware } from "hono/factory";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const NO_BODY = new Set(["GET", "HEAD", "OPTIONS", "DELETE"]);

export interface BodyLimits {
  maxBytes: number;
  /** For the whole body to arrive. */
  timeoutMs: number;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Below this many bytes nothing can be hidden in a body. */
const HARMLESS_BYTES = 8_192;
const JSON_LIMITS = { depth: 64, values: 100_000 };

/** A megabyte of brackets is a hundred of objects: what is too deep or too much is not parsed at all. */
function checkJson(bytes: Bytes, type: string | null): void {
  if (bytes.byteLength < HARMLESS_BYTES || !/json/i.test(type ?? "")) return;
  try {
    scanJson(bytes, JSON_LIMITS);
  } catch (error) {
    throw new ApiError("invalid_json", `the body is ${error instanceof Error ? error.message : "too deep"}`);
  }
}

const tooLarge = ({ maxBytes }: BodyLimits) =>
  new ApiError("too_large", `the body is larger than ${maxBytes} bytes`);

/** A body that says how long it is; the server keeps it to its word. */
async function readDeclared(request: Request, length: number, limits: BodyLimits): Promise<Bytes> {
  if (length > limits.maxBytes) throw tooLarge(limits);
  return inTime(limits, async (late) => {
    const body = new Uint8Array(await Promise.race([request.arrayBuffer(), late]));
    if (body.byteLength > limits.maxBytes) throw tooLarge(limits);
    return body;
  });
}

/** A body of unknown length, e.g. a chunked one. */
async function readStream(stream: ReadableStream<Uint8Array>, limits: BodyLimits): Promise<Bytes> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    return await inTime(limits, async (late) => {
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), late]);
        if (done) return new Uint8Array(Buffer.concat(chunks));
        size += value.byteLength;
        if (size > limits.maxBytes) throw tooLarge(limits);
        chunks.push(value);
      }
    });
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
}

async function inTime<T>({ timeoutMs }: BodyLimits, read: (late: Promise<never>) => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ApiError("request_timeout", `the body took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await read(late);
  } finally {
    clearTimeout(timer);
    late.catch(() => {});
  }
}

/** Its length where it is declared; a stream otherwise. Undefined without a body. */
function bodyOf(request: Request): number | ReadableStream<Uint8Array> | undefined {
  if (NO_BODY.has(request.method)) return undefined;
  const length = request.headers.get("content-length");
  // Looking at `body` makes a stream of it, which costs more than reading a short one whole.
  if (length === null || request.headers.has("transfer-encoding")) return request.body ?? undefined;
  return Number(length) || undefined;
}

/**
 * Reads the body before anything looks at it: no more than the limit, no longer than the timeout. Compressed
 * bodies are refused, so that a small one can't grow.
 */
export const bodyLimit = (limits: BodyLimits) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const { raw } = c.req;
    const body = bodyOf(raw);
    if (body === undefined) return next();
    const encoding = raw.headers.get("content-encoding");
    if (encoding !== null && encoding !== "identity")
      throw new ApiError(
        "unsupported_media_type",
        `content-encoding ${encoding} is not taken; send the body plain`,
      );
    const bytes =
      typeof body === "number" ? await readDeclared(raw, body, limits) : await readStream(body, limits);
    checkJson(bytes, raw.headers.get("content-type"));
    c.req.raw = new Request(raw.url, {
      method: raw.method,
      headers: raw.headers,
      body: bytes,
      signal: raw.signal,
    });
    await next();
  });

import { createMiddleware } from "hono/factory";
import { ApiError } from "../errors/table.ts";
import type { AppEnv } from "../hono.ts";

const NO_BODY = new Set(["GET", "HEAD", "OPTIONS", "DELETE"]);

export interface BodyLimits {
  maxBytes: number;
  /** For the whole body to arrive. */
  timeoutMs: number;
}

async function readAll(
  stream: ReadableStream<Uint8Array>,
  limits: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ApiError("request_timeout", `the body took longer than ${limits.timeoutMs} ms`)),
      limits.timeoutMs,
    );
  });
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) return new Uint8Array(Buffer.concat(chunks));
      size += value.byteLength;
      if (size > limits.maxBytes)
        throw new ApiError("too_large", `the body is larger than ${limits.maxBytes} bytes`);
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    clearTimeout(timer);
    late.catch(() => {});
  }
}

/**
 * Reads the body before anything looks at it: no more than the limit, no longer than the timeout. Compressed
 * bodies are refused, so that a small one can't grow.
 */
export const bodyLimit = (limits: BodyLimits) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const { raw } = c.req;
    if (NO_BODY.has(raw.method) || !raw.body) return next();
    const encoding = raw.headers.get("content-encoding");
    if (encoding !== null && encoding !== "identity")
      throw new ApiError(
        "unsupported_media_type",
        `content-encoding ${encoding} is not taken; send the body plain`,
      );
    if (Number(raw.headers.get("content-length") ?? 0) > limits.maxBytes)
      throw new ApiError("too_large", `the body is larger than ${limits.maxBytes} bytes`);
    const body = await readAll(raw.body, limits);
    c.req.raw = new Request(raw.url, { method: raw.method, headers: raw.headers, body, signal: raw.signal });
    await next();
  });

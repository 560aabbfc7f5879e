import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

export interface PutTarget {
  url: string;
  contentType: string;
  headers: Record<string, string>;
}

export class UploadError extends Error {
  override readonly name = "UploadError";
}

const ATTEMPTS = 4;
const FIRST_DELAY_MS = 250;
const TIMEOUT_MS = 120_000;

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** PUTs bytes to a signed URL, again after a failure that may pass. Messages never carry the URL: it is a secret. */
export async function put(target: PutTarget, body: Uint8Array, signal: AbortSignal): Promise<void> {
  let reason = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await sleep(FIRST_DELAY_MS * 4 ** (attempt - 1), undefined, { signal });
    const status = await putOnce(target, body, signal);
    if (typeof status === "number" && status >= 200 && status < 300) return;
    reason = typeof status === "number" ? `the store answered ${status}` : status;
    if (typeof status === "number" && status >= 400 && status < 500 && status !== 408 && status !== 429)
      break;
  }
  throw new UploadError(reason);
}

async function putOnce(target: PutTarget, body: Uint8Array, signal: AbortSignal): Promise<number | string> {
  try {
    const response = await fetch(target.url, {
      method: "PUT",
      body: body as Uint8Array<ArrayBuffer>,
      headers: { "content-type": target.contentType, ...target.headers },
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer";
    return `the store could not be reached (${code})`;
  }
}

import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { isPublicAddress } from "./address.ts";

const MAX_REDIRECTS = 4;

export type FetchRefusal =
  | "bad_url"
  | "forbidden_address"
  | "unresolvable"
  | "unreachable"
  | "too_many_redirects"
  | "too_large"
  | "wrong_type"
  | "timeout";

/** Why a URL of a user was not fetched. The message names the host, never an address that was resolved. */
export class GuardedFetchError extends Error {
  readonly code: FetchRefusal;
  constructor(code: FetchRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GuardedFetchError";
    this.code = code;
  }
}

export interface GuardedFetchOptions {
  method?: "GET" | "POST" | "PUT";
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** Bytes of the answer's body; more is an error. */
  maxBytes: number;
  /** Milliseconds for everything together, redirects included. */
  timeoutMs: number;
  /** Redirects to follow, each checked anew. */
  redirects?: number;
  /** Media types that are accepted, e.g. `audio/`; a prefix ending in `/` takes the whole family. */
  contentTypes?: readonly string[];
  /** `host:port` pairs that may lie on a private network; the operator's choice, never the user's. */
  allowHosts?: readonly string[];
  signal?: AbortSignal;
  /** Takes the body of a 2xx answer piece by piece; `body` is empty then. For files too large to hold. */
  sink?: (chunk: Uint8Array) => void | Promise<void>;
}

export interface GuardedResponse {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
  /** The URL after redirects. */
  url: string;
}

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new GuardedFetchError("bad_url", "not a valid URL", { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new GuardedFetchError("bad_url", "only http: and https: URLs are allowed");
  if (url.username !== "" || url.password !== "")
    throw new GuardedFetchError("bad_url", "a URL with a user name or password is not allowed");
  return url;
}

const portOf = (url: URL) => url.port || (url.protocol === "https:" ? "443" : "80");

/** Resolves once; the connection then goes to this very address, so a second DNS answer can't redirect it. */
async function resolvePinned(url: URL, allowHosts: readonly string[]): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const allowed = allowHosts.includes(`${host}:${portOf(url)}`);
  let addresses: string[];
  if (isIP(host) !== 0) addresses = [host];
  else {
    try {
      addresses = (await lookup(host, { all: true })).map((entry) => entry.address);
    } catch (cause) {
      throw new GuardedFetchError("unresolvable", `the host ${host} can't be resolved`, { cause });
    }
  }
  const first = addresses[0];
  if (first === undefined) throw new GuardedFetchError("unresolvable", `the host ${host} has no address`);
  if (!allowed && !addresses.every(isPublicAddress))
    throw new GuardedFetchError("forbidden_address", `the host ${host} is not on the public internet`);
  return first;
}

function connect(
  url: URL,
  address: string,
  options: GuardedFetchOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const secure = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? httpsRequest : httpRequest)({
      host: address,
      port: portOf(url),
      path: url.pathname + url.search,
      method: options.method ?? "GET",
      headers: { ...options.headers, host: url.host, "accept-encoding": "identity" },
      ...(secure && isIP(hostname) === 0 ? { servername: hostname } : {}),
      signal,
      agent: false,
    });
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.end(options.body);
  });
}

function checkType(response: IncomingMessage, accepted: readonly string[] | undefined) {
  if (accepted === undefined) return;
  const type = (response.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (accepted.some((want) => (want.endsWith("/") ? type.startsWith(want) : type === want))) return;
  throw new GuardedFetchError(
    "wrong_type",
    `the answer is ${type || "of no type"}; allowed: ${accepted.join(", ")}`,
  );
}

async function readBody(
  response: IncomingMessage,
  maxBytes: number,
  sink?: GuardedFetchOptions["sink"],
): Promise<Uint8Array> {
  const tooLarge = () => new GuardedFetchError("too_large", `the answer is larger than ${maxBytes} bytes`);
  if (Number(response.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge();
    if (sink) await sink(chunk);
    else chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function flatHeaders(response: IncomingMessage): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers))
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(", ") : value;
  return out;
}

/**
 * Fetches a URL that a user gave. The host is resolved once and the connection pinned to that address;
 * addresses off the public internet are refused, at every redirect again.
 * @throws GuardedFetchError
 */
export async function guardedFetch(target: string, options: GuardedFetchOptions): Promise<GuardedResponse> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  let url = parseUrl(target);
  let sinkError: unknown;
  const sink = async (chunk: Uint8Array) => {
    try {
      await options.sink?.(chunk);
    } catch (error) {
      sinkError = error;
      throw error;
    }
  };
  try {
    for (let hop = 0; ; hop++) {
      const address = await resolvePinned(url, options.allowHosts ?? []);
      const response = await connect(url, address, options, signal);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status >= 300 && status < 400 && location !== undefined) {
        response.destroy();
        if (hop >= (options.redirects ?? MAX_REDIRECTS))
          throw new GuardedFetchError("too_many_redirects", `${url.hostname} redirects too often`);
        url = parseUrl(new URL(location, url).href);
        continue;
      }
      try {
        const ok = status >= 200 && status < 300;
        if (ok) checkType(response, options.contentTypes);
        const body = await readBody(response, options.maxBytes, ok && options.sink ? sink : undefined);
        return { status, headers: flatHeaders(response), body, url: url.href };
      } catch (error) {
        response.destroy();
        throw error;
      }
    }
  } catch (cause) {
    if (cause instanceof GuardedFetchError || (sinkError !== undefined && cause === sinkError)) throw cause;
    if (timeout.aborted)
      throw new GuardedFetchError("timeout", `${url.hostname} took longer than ${options.timeoutMs} ms`);
    options.signal?.throwIfAborted();
    throw new GuardedFetchError("unreachable", `${url.hostname} can't be reached`, { cause });
  }
}

import type { Context } from "hono";
import { ApiError } from "../errors/table.ts";
import type { App, AppEnv } from "../hono.ts";
import { FolderStore } from "../store/folder.ts";
import { parseStoreKey } from "../store/key.ts";
import { type ByteRange, parseRange } from "../store/range.ts";
import { RoutedStore } from "../store/routed.ts";
import { type Grant, verifyGrant } from "../store/signed-url.ts";
import type { ObjectInfo, Store } from "../store/store.ts";

const WHOLE_BYTES = 2 * 1024 * 1024;

const keyOf = (c: Context<AppEnv>) => {
  const encoded = new URL(c.req.url).pathname.slice("/store/".length);
  try {
    return parseStoreKey(decodeURIComponent(encoded));
  } catch {
    throw new ApiError("not_found", "no such object");
  }
};

function grantOf(c: Context<AppEnv>, store: FolderStore, method: "GET" | "PUT", key: string): Grant {
  const grant = verifyGrant(store.secret, method, key, new URL(c.req.url).searchParams, Date.now());
  if (!grant)
    throw new ApiError("bad_signature", "this URL is not valid or no longer valid; read the render again");
  return grant;
}

function baseHeaders(info: ObjectInfo, grant: Grant): Record<string, string> {
  const maxAge = Math.max(0, grant.expiresAt - Math.floor(Date.now() / 1000));
  return {
    "content-type": info.contentType,
    "accept-ranges": "bytes",
    etag: info.etag,
    "last-modified": info.modifiedAt.toUTCString(),
    "cache-control": `private, max-age=${maxAge}, immutable`,
    "content-security-policy": "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    ...(grant.downloadAs === undefined
      ? {}
      : { "content-disposition": `attachment; filename="${grant.downloadAs}"` }),
  };
}

function isFresh(c: Context<AppEnv>, info: ObjectInfo): boolean {
  const match = c.req.header("if-none-match");
  if (match !== undefined)
    return match === "*" || match.split(",").some((tag) => tag.trim().replace(/^W\//, "") === info.etag);
  const since = Date.parse(c.req.header("if-modified-since") ?? "");
  return Math.floor(info.modifiedAt.getTime() / 1000) * 1000 <= since;
}

// A range under If-Range counts only while the object is still the same.
function wantedRange(c: Context<AppEnv>, info: ObjectInfo): ByteRange | "whole" | "unsatisfiable" {
  const condition = c.req.header("if-range");
  if (condition !== undefined && condition !== info.etag && condition !== info.modifiedAt.toUTCString())
    return "whole";
  return parseRange(c.req.header("range"), info.bytes);
}

async function serve(c: Context<AppEnv>, store: FolderStore): Promise<Response> {
  const key = keyOf(c);
  const grant = grantOf(c, store, "GET", key);
  const info = await store.head(key);
  if (!info) throw new ApiError("not_found", "no such object");
  const headers = baseHeaders(info, grant);
  if (isFresh(c, info)) return new Response(null, { status: 304, headers });
  const range = wantedRange(c, info);
  if (range === "unsatisfiable")
    throw new ApiError("range_not_satisfiable", `the object has ${info.bytes} bytes`, {
      headers: { "content-range": `bytes */${info.bytes}` },
    });
  const part = range === "whole" ? undefined : range;
  headers["content-length"] = String(part ? part.end - part.start + 1 : info.bytes);
  if (part) headers["content-range"] = `bytes ${part.start}-${part.end}/${info.bytes}`;
  const status = part ? 206 : 200;
  if (c.req.raw.method === "HEAD") return new Response(null, { status, headers });
  const object = await store.get(key, part);
  if (!object) throw new ApiError("not_found", "no such object");
  // Bun sends streams in chunks, without the length that players and progress bars want; small parts go as a whole.
  const isSmall = Number(headers["content-length"]) <= WHOLE_BYTES;
  const body = isSmall ? await new Response(object.body).arrayBuffer() : object.body;
  return new Response(body, { status, headers });
}

async function accept(c: Context<AppEnv>, store: FolderStore, maxBytes: number): Promise<Response> {
  const key = keyOf(c);
  const grant = grantOf(c, store, "PUT", key);
  if (grant.contentType !== undefined && c.req.header("content-type") !== grant.contentType)
    throw new ApiError("unsupported_media_type", `this URL takes ${grant.contentType}`);
  const announced = c.req.header("content-length");
  if (announced !== undefined && Number(announced) > maxBytes)
    throw new ApiError("too_large", `the object is larger than ${maxBytes} bytes`);
  c.env.holdOpen?.();
  const written = await store.write(key, c.req.raw.body ?? [], maxBytes);
  if (announced !== undefined && Number(announced) !== written.bytes)
    throw new ApiError("invalid_request", `announced ${announced} bytes, got ${written.bytes}`);
  return c.json(written, 201);
}

/** The folder store over HTTP: GETs of clients and PUTs of nodes, each under its own signed URL. */
export function registerStore(app: App, store: Store, maxUploadBytes: number): void {
  const folder = store instanceof RoutedStore ? store.main : store;
  if (!(folder instanceof FolderStore)) return;
  app.get("/store/*", (c) => serve(c, folder));
  app.put("/store/*", (c) => accept(c, folder, maxUploadBytes));
}

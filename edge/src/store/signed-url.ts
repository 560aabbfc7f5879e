import { createHmac, timingSafeEqual } from "node:crypto";

export interface Grant {
  method: "GET" | "PUT";
  key: string;
  /** Unix seconds. */
  expiresAt: number;
  /** Type that a PUT must have. */
  contentType?: string;
  downloadAs?: string;
}

const SEPARATOR = "\n";

function signature(secret: string, grant: Grant): string {
  const text = [
    grant.method,
    grant.key,
    grant.expiresAt,
    grant.contentType ?? "",
    grant.downloadAs ?? "",
  ].join(SEPARATOR);
  return createHmac("sha256", secret).update(text).digest("base64url");
}

/** Path and query of a signed URL: the grant in the clear, and an HMAC over all of it. */
export function signGrant(secret: string, grant: Grant): string {
  const query = new URLSearchParams({ exp: String(grant.expiresAt) });
  if (grant.contentType !== undefined) query.set("type", grant.contentType);
  if (grant.downloadAs !== undefined) query.set("dl", grant.downloadAs);
  query.set("sig", signature(secret, grant));
  return `/store/${grant.key}?${query}`;
}

/** The grant that a request holds, or undefined when the signature or the time is not right. */
export function verifyGrant(
  secret: string,
  method: "GET" | "PUT",
  key: string,
  query: URLSearchParams,
  nowMs: number,
): Grant | undefined {
  const expiresAt = Number(query.get("exp") ?? Number.NaN);
  if (!Number.isSafeInteger(expiresAt)) return undefined;
  const grant: Grant = {
    method,
    key,
    expiresAt,
    contentType: query.get("type") ?? undefined,
    downloadAs: query.get("dl") ?? undefined,
  };
  // As text: of several spellings that decode to the same bytes only one is ours.
  const given = Buffer.from(query.get("sig") ?? "");
  const expected = Buffer.from(signature(secret, grant));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  return expiresAt * 1000 > nowMs ? grant : undefined;
}

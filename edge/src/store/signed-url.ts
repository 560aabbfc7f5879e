import { isSignature, sign } from "../auth/signature.ts";

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

function signedText(grant: Grant): string {
  return [grant.method, grant.key, grant.expiresAt, grant.contentType ?? "", grant.downloadAs ?? ""].join(
    SEPARATOR,
  );
}

/** Path and query of a signed URL: the grant in the clear, and an HMAC over all of it. */
export function signGrant(secret: string, grant: Grant): string {
  const query = new URLSearchParams({ exp: String(grant.expiresAt) });
  if (grant.contentType !== undefined) query.set("type", grant.contentType);
  if (grant.downloadAs !== undefined) query.set("dl", grant.downloadAs);
  query.set("sig", sign(secret, signedText(grant)));
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
  if (!isSignature(query.get("sig") ?? "", secret, signedText(grant))) return undefined;
  return expiresAt * 1000 > nowMs ? grant : undefined;
}

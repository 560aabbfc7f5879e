import { createHmac, timingSafeEqual } from "node:crypto";

/** HMAC-SHA-256 as base64url: what the edge's own URLs and tokens are signed with. */
export function sign(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("base64url");
}

/** Compared as text and in constant time: of several spellings that decode to the same bytes only one is ours. */
export function isSignature(given: string, secret: string, text: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(sign(secret, text))];
  return left.length === right.length && timingSafeEqual(left, right);
}

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const TOKEN = /^ck_([0-9a-f]{12})_([0-9a-f]{48})$/;

/** `ck_<12 hex to look it up>_<48 hex of secret>`: 192 random bits, so that a plain hash is enough at rest. */
export function newToken(): { token: string; prefix: string; hash: string } {
  const prefix = randomBytes(6).toString("hex");
  const token = `ck_${prefix}_${randomBytes(24).toString("hex")}`;
  return { token, prefix, hash: hashOf(token) };
}

/** The part that a key is looked up by; undefined when the text can't be one of our keys. */
export function prefixOf(token: string): string | undefined {
  return TOKEN.exec(token)?.[1];
}

export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Compares in a time that does not depend on where the two differ. */
export function sameHash(a: string, b: string): boolean {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

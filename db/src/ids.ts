import { createHash, randomBytes } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const BODY_LENGTH = 26;

/** What a client may choose as an id: valid in every dialect, in a URL and as a file name. */
export const CLIENT_ID = /^[A-Za-z0-9_-]{1,128}$/;

export type IdPrefix = "job" | "key" | "whk" | "dlv";

/** `job_` and 26 characters: 10 of time, so that ids sort by creation, and 80 random bits, so that none is guessed. */
export function newId(prefix: IdPrefix, now: number): string {
  let time = "";
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time;
  }
  return `${prefix}_${time}${base32(randomBytes(10))}`;
}

/**
 * The id of a job whose client chose the id itself. Derived from tenant and id, so that two tenants may choose the
 * same one and neither learns of the other's.
 */
export function idOfAlias(tenant: string, alias: string): string {
  const digest = createHash("sha256").update(`${tenant}\0${alias}`).digest();
  return `job_${base32(digest).slice(0, BODY_LENGTH)}`;
}

function base32(bytes: Uint8Array): string {
  let out = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET.charAt((held >> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return out;
}

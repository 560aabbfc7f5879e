import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { VerbError } from "../errors.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "s1.";

/** AES-256-GCM under a key derived from the operator's secret; `context` binds a value to its row. */
export interface Sealer {
  seal(plain: string, context: string): string;
  open(sealed: string, context: string): string;
}

export function createSealer(secretKey: string): Sealer {
  const key = new Uint8Array(hkdfSync("sha256", secretKey, "cartoon", "seal", 32));
  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
      return VERSION + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url");
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed.slice(VERSION.length), "base64url");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return (
        decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, "utf8") + decipher.final("utf8")
      );
    },
  };
}

/** The sealer, or a refusal that says what the operator has to set. */
export function needSealer(sealer: Sealer | null): Sealer {
  if (sealer) return sealer;
  throw new VerbError(
    "secret_key_missing",
    "Secrets can't be kept: the database was opened without a secret key.",
  );
}

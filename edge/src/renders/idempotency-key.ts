import { ApiError } from "../errors/table.ts";

/** The value of `Idempotency-Key`: a quoted string as the draft has it, or bare; 1 to 255 printable characters. */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header.trim());
  const key = quoted ? (quoted[1] ?? "").replaceAll(/\\(["\\])/g, "$1") : header.trim();
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new ApiError(
      "invalid_idempotency_key",
      "Idempotency-Key: 1 to 255 printable characters without spaces",
    );
  return key;
}

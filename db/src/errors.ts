/** Why a verb refused. Stable: the edge maps each to a status and a problem type. */
export type VerbErrorCode =
  | "not_found"
  | "stale_fence"
  | "invalid_transition"
  | "queue_full"
  | "tenant_queue_full"
  | "idempotency_mismatch"
  | "id_taken"
  | "invalid_input"
  | "too_many_characters"
  | "database_newer"
  | "secret_key_missing";

/** A refusal that the caller can act on. Anything else that a verb throws is a fault of the database or a bug. */
export class VerbError extends Error {
  readonly code: VerbErrorCode;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: VerbErrorCode, message: string, details: Record<string, string | number> = {}) {
    super(message);
    this.name = "VerbError";
    this.code = code;
    this.details = details;
  }
}

/** True for a refusal of a verb, of that code when one is given. */
export function isVerbError(error: unknown, code?: VerbErrorCode): error is VerbError {
  return error instanceof VerbError && (code === undefined || error.code === code);
}

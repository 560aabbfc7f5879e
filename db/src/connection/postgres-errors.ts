/** Deadlock, serialisation failure, shutting down, starting up: the transaction was rolled back for certain. */
const ROLLED_BACK = new Set(["40P01", "40001", "57P01", "57P03", "53300"]);
/** Never got as far as the server. */
const NOT_CONNECTED = new Set(["ECONNREFUSED", "CONNECT_TIMEOUT", "ENOENT"]);
/** The connection broke: a commit on its way may or may not have been kept. */
const LOST = new Set(["CONNECTION_CLOSED", "CONNECTION_ENDED", "ECONNRESET", "EPIPE"]);

/** The code of the driver's error below drizzle's wrapper. */
function codeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause ? error.cause : error;
  const code = (inner as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** A write may be tried again: nothing of it was kept. */
export function isRetryable(error: unknown): boolean {
  const code = codeOf(error);
  return ROLLED_BACK.has(code) || NOT_CONNECTED.has(code);
}

/** A read may be tried again. */
export function isConnectionLost(error: unknown): boolean {
  return isRetryable(error) || LOST.has(codeOf(error));
}

/** A value that Postgres can't hold, such as a text with a zero byte (SQLSTATE class 22). */
export const isDataError = (error: unknown): boolean => codeOf(error).startsWith("22");

import { VerbError, type VerbErrorCode } from "@cartoon/db";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { log } from "../log.ts";
import { ApiError, ERRORS, type ErrorCode } from "./table.ts";

/** RFC 9457 body of an error; `code` is stable, `detail` is for people. */
export function toProblem(error: ApiError, requestId: string) {
  return {
    type: `/docs/errors#${error.code}`,
    title: ERRORS[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    instance: requestId,
    ...(error.errors.length > 0 ? { errors: [...error.errors] } : {}),
  };
}

const BY_STATUS: Record<number, ErrorCode> = {
  400: "invalid_json",
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  413: "too_large",
  415: "unsupported_media_type",
  429: "rate_limited",
};

/** The database knows nothing of HTTP; what is not in this table is a fault of ours. */
const BY_VERB: Partial<Record<VerbErrorCode, ErrorCode>> = {
  not_found: "not_found",
  invalid_transition: "conflict",
  queue_full: "queue_full",
  tenant_queue_full: "queue_full",
  idempotency_mismatch: "idempotency_mismatch",
  id_taken: "conflict",
  invalid_input: "invalid_request",
  too_many_characters: "quota_exceeded",
};
const QUEUE_FULL_SECONDS = 5;

/** What of a limit goes into the answer that it causes. */
export const limitHeaders = (name: string, limit: number, retrySeconds: number, window?: number) => ({
  "ratelimit-policy": `"${name}";q=${limit}${window === undefined ? "" : `;w=${window}`}`,
  ratelimit: `"${name}";r=0;t=${retrySeconds}`,
  "retry-after": String(retrySeconds),
});

/** Any thrown value as the error that the client may see. What is unexpected is logged and kept from the client. */
export function toApiError(error: unknown, requestId: string): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof HTTPException) {
    const code = BY_STATUS[error.status] ?? "internal";
    return new ApiError(code, error.message || ERRORS[code].title, { cause: error });
  }
  const code = error instanceof VerbError ? BY_VERB[error.code] : undefined;
  if (code && error instanceof VerbError)
    return new ApiError(code, error.message, {
      cause: error,
      headers:
        code === "queue_full"
          ? limitHeaders("queued-jobs", Number(error.details.limit ?? 0), QUEUE_FULL_SECONDS)
          : {},
      errors:
        typeof error.details.field === "string"
          ? [{ detail: error.message, parameter: error.details.field }]
          : [],
    });
  log.error("unexpected error", { requestId, error });
  return new ApiError("internal", `unexpected error; quote the request id ${requestId}`, { cause: error });
}

/** The problem response of an error. */
export function problemResponse(c: Context, thrown: unknown): Response {
  const requestId = c.get("requestId") ?? "";
  const error = toApiError(thrown, requestId);
  return new Response(JSON.stringify(toProblem(error, requestId)), {
    status: error.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...error.headers },
  });
}

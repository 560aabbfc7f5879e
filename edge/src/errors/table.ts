/** Every error that a client can meet: its HTTP status, its title, and whether trying again may help. */
export const ERRORS = {
  invalid_json: { status: 400, title: "The body is not valid JSON", retryable: false },
  invalid_request: { status: 400, title: "The request is not valid", retryable: false },
  invalid_cursor: { status: 400, title: "The cursor is not valid", retryable: false },
  invalid_idempotency_key: { status: 400, title: "The idempotency key is not valid", retryable: false },
  unauthenticated: { status: 401, title: "An API key is needed", retryable: false },
  forbidden: { status: 403, title: "The API key lacks a scope", retryable: false },
  bad_signature: { status: 403, title: "The signed URL is not valid or has expired", retryable: false },
  not_found: { status: 404, title: "Not found", retryable: false },
  method_not_allowed: { status: 405, title: "Method not allowed", retryable: false },
  not_ready: { status: 409, title: "Not ready yet", retryable: true },
  conflict: { status: 409, title: "The present state does not allow this", retryable: false },
  idempotency_in_flight: { status: 409, title: "A request with this key is in flight", retryable: true },
  gone: { status: 410, title: "The results have expired", retryable: false },
  too_large: { status: 413, title: "The body is too large", retryable: false },
  unsupported_media_type: { status: 415, title: "Unsupported media type", retryable: false },
  range_not_satisfiable: { status: 416, title: "Range not satisfiable", retryable: false },
  validation_failed: { status: 422, title: "A field is not valid", retryable: false },
  idempotency_mismatch: {
    status: 422,
    title: "The idempotency key was used with another body",
    retryable: false,
  },
  deadline_unreachable: { status: 422, title: "The deadline can't be met", retryable: false },
  rate_limited: { status: 429, title: "Too many requests", retryable: true },
  quota_exceeded: { status: 429, title: "A quota is used up", retryable: true },
  queue_full: { status: 429, title: "The queue is full", retryable: true },
  request_timeout: { status: 408, title: "The request took too long to arrive", retryable: true },
  internal: { status: 500, title: "Internal error", retryable: true },
  render_failed: { status: 500, title: "The render failed", retryable: false },
  no_nodes: { status: 503, title: "No node is ready", retryable: true },
  shutting_down: { status: 503, title: "Shutting down", retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

export interface FieldError {
  detail: string;
  /** JSON pointer into the body, e.g. `#/clip/width`, or the name of a parameter. */
  pointer?: string;
  parameter?: string;
}

/** An error meant for the client. Anything else that is thrown becomes `internal` with no detail. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly headers: Record<string, string>;
  constructor(
    code: ErrorCode,
    detail: string,
    more: { errors?: readonly FieldError[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause });
    this.name = "ApiError";
    this.code = code;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
  get status() {
    return ERRORS[this.code].status;
  }
}

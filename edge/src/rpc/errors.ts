import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { toApiError, toProblem } from "../errors/problem.ts";
import type { ErrorCode } from "../errors/table.ts";

const CODES: Partial<Record<ErrorCode, status>> = {
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  not_ready: status.FAILED_PRECONDITION,
  conflict: status.FAILED_PRECONDITION,
  gone: status.NOT_FOUND,
  rate_limited: status.RESOURCE_EXHAUSTED,
  quota_exceeded: status.RESOURCE_EXHAUSTED,
  queue_full: status.RESOURCE_EXHAUSTED,
  too_large: status.RESOURCE_EXHAUSTED,
  no_nodes: status.UNAVAILABLE,
  shutting_down: status.UNAVAILABLE,
  internal: status.INTERNAL,
};

/** Any error as a gRPC status; the problem document of the HTTP API travels in the trailer `problem-json`. */
export function toServiceError(thrown: unknown, requestId: string): ServiceError {
  const error = toApiError(thrown, requestId);
  const metadata = new Metadata();
  const problem = JSON.stringify(toProblem(error, requestId));
  // Trailers are ASCII; what a user wrote may not be.
  metadata.set(
    "problem-json",
    problem.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
  const code = CODES[error.code] ?? status.INVALID_ARGUMENT;
  return Object.assign(new Error(error.message), { code, details: error.message, metadata });
}

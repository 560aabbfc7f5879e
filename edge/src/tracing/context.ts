import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

/** A span's place in a trace (W3C Trace Context). */
export interface SpanContext {
  /** 32 hex digits. */
  traceId: string;
  /** 16 hex digits. */
  spanId: string;
  sampled: boolean;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const ZEROS = /^0+$/;

/** The context that a `traceparent` header names, or undefined where it is malformed. */
export function parseTraceparent(header: unknown): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(typeof header === "string" ? header : "") ?? [];
  if (traceId === undefined || spanId === undefined || ZEROS.test(traceId) || ZEROS.test(spanId))
    return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags ?? "00", 16) & 1) === 1 };
}

export const formatTraceparent = ({ traceId, spanId, sampled }: SpanContext) =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

/** A span below `parent`, or the root of a new trace. */
export const childOf = (parent: SpanContext | undefined): SpanContext => ({
  traceId: parent?.traceId ?? randomBytes(16).toString("hex"),
  spanId: randomBytes(8).toString("hex"),
  sampled: parent?.sampled ?? true,
});

const storage = new AsyncLocalStorage<{ span: SpanContext; requestId: string | undefined }>();

/** Runs a function whose work belongs to this span and request. */
export const withSpan = <T>(span: SpanContext, run: () => T, requestId?: string): T =>
  storage.run({ span, requestId }, run);

/** The span that the present work belongs to. */
export const currentSpan = (): SpanContext | undefined => storage.getStore()?.span;

/** The request that the present work belongs to. */
export const currentRequestId = (): string | undefined => storage.getStore()?.requestId;

import { log } from "../log.ts";
import { childOf, type SpanContext } from "./context.ts";

export type SpanKind = "internal" | "server" | "client";

export interface SpanRecord {
  name: string;
  kind: SpanKind;
  context: SpanContext;
  parent: SpanContext | undefined;
  /** Ms since 1970. */
  startMs: number;
  endMs: number;
  attributes: Record<string, string | number | boolean>;
  /** Why it failed. */
  error?: string;
}

export type NewSpan = Omit<SpanRecord, "context" | "kind" | "attributes"> &
  Partial<Pick<SpanRecord, "context" | "kind" | "attributes">>;

const EXPORT_MS = 2_000;
const MAX_WAITING = 2_048;
const REQUEST_MS = 5_000;
/** Numbers of OTLP's enum. */
const KINDS: Record<SpanKind, number> = { internal: 1, server: 2, client: 3 };
const ERROR_STATUS = 2;

const nanos = (ms: number) => (BigInt(Math.round(ms * 1000)) * 1000n).toString();
const value = (of: string | number | boolean) =>
  typeof of === "string"
    ? { stringValue: of }
    : typeof of === "boolean"
      ? { boolValue: of }
      : { doubleValue: of };
const attributes = (of: SpanRecord["attributes"]) =>
  Object.entries(of).map(([key, item]) => ({ key, value: value(item) }));

/** A span in the JSON form of OTLP. */
export const toOtlp = (span: SpanRecord) => ({
  traceId: span.context.traceId,
  spanId: span.context.spanId,
  ...(span.parent ? { parentSpanId: span.parent.spanId } : {}),
  name: span.name,
  kind: KINDS[span.kind],
  startTimeUnixNano: nanos(span.startMs),
  endTimeUnixNano: nanos(Math.max(span.startMs, span.endMs)),
  attributes: attributes(span.attributes),
  status: span.error === undefined ? {} : { code: ERROR_STATUS, message: span.error },
});

/**
 * Collects finished spans and sends them to an OpenTelemetry collector over OTLP/HTTP. Without an endpoint it only
 * hands out contexts, so that traces of callers still go through. Spans are dropped rather than ever waited for.
 */
export class Tracer {
  readonly #url: string | undefined;
  readonly #resource: SpanRecord["attributes"];
  #waiting: SpanRecord[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> = Promise.resolve();

  /** @param endpoint base URL of the collector, e.g. `http://localhost:4318` */
  constructor(endpoint: string | undefined, resource: SpanRecord["attributes"]) {
    this.#url = endpoint === undefined ? undefined : `${endpoint}/v1/traces`;
    this.#resource = resource;
  }

  /** Takes a span that is over. @returns its context */
  record(span: NewSpan): SpanContext {
    const context = span.context ?? childOf(span.parent);
    if (this.#url === undefined || !context.sampled || this.#waiting.length >= MAX_WAITING) return context;
    this.#waiting.push({ kind: "internal", attributes: {}, ...span, context });
    this.#timer ??= setTimeout(() => void this.flush(), EXPORT_MS);
    return context;
  }

  /** Sends what waits. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const spans = this.#waiting;
    this.#waiting = [];
    if (spans.length > 0) this.#sending = this.#sending.then(() => this.#send(spans));
    return this.#sending;
  }

  async #send(spans: readonly SpanRecord[]): Promise<void> {
    const scopeSpans = [{ scope: { name: "cartoon" }, spans: spans.map(toOtlp) }];
    const body = JSON.stringify({
      resourceSpans: [{ resource: { attributes: attributes(this.#resource) }, scopeSpans }],
    });
    try {
      const headers = { "content-type": "application/json" };
      const signal = AbortSignal.timeout(REQUEST_MS);
      const response = await fetch(this.#url ?? "", { method: "POST", headers, body, signal });
      await response.body?.cancel();
      if (!response.ok)
        log.warn("the collector refused spans", { status: response.status, spans: spans.length });
    } catch (error) {
      log.warn("the collector can't be reached", { spans: spans.length, error });
    }
  }
}

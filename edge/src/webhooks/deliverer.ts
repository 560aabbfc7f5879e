import {
  type Database,
  type DueDelivery,
  getJob,
  isVerbError,
  leaseDeliveries,
  recordDelivery,
} from "@cartoon/db";
import { GuardedFetchError, guardedFetch } from "@cartoon/protos";
import { log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { LinkOptions } from "../renders/view.ts";
import { childOf, formatTraceparent, parseTraceparent } from "../tracing/context.ts";
import type { Tracer } from "../tracing/tracer.ts";
import { styleOf } from "./styles.ts";

const TIMEOUT_MS = 20_000;
const LOCK_MS = 60_000;
const AT_ONCE = 16;
const MAX_ANSWER_BYTES = 64 * 1024;
const GONE = 410;

export interface DelivererOptions {
  db: Database;
  /** For the signed URLs inside a delivery. */
  links: () => LinkOptions;
  metrics: Metrics;
  tracer: Tracer;
  /** `host:port` pairs on private networks that may be called. */
  allowHosts: readonly string[];
}

/** Empties the outbox of webhooks. Any number of edges may do so on the same database. */
export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #stop = new AbortController();
  #unsubscribe: (() => void) | undefined;
  #working: Promise<void> | undefined;
  #again = false;

  constructor(options: DelivererOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.db.subscribe((wake) => {
      if (wake.type === "delivery" || wake.type === "poll") this.wake();
    });
    this.wake();
  }

  wake(): void {
    this.#again = true;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    this.#stop.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#again && !this.#stop.signal.aborted) {
      this.#again = false;
      try {
        const due = await leaseDeliveries(this.#options.db, AT_ONCE, LOCK_MS);
        if (due.length === AT_ONCE) this.#again = true;
        await Promise.all(due.map((delivery) => this.#deliver(delivery)));
      } catch (error) {
        log.warn("the outbox could not be read", { error });
      }
    }
  }

  async #deliver(delivery: DueDelivery): Promise<void> {
    const { db, metrics } = this.#options;
    const started = performance.now();
    const outcome = await this.#send(delivery).catch((error: unknown) => ({
      statusCode: null,
      delivered: false,
      error:
        error instanceof GuardedFetchError
          ? `${error.code}: ${error.message}`
          : "the delivery could not be made",
      isFinal:
        isVerbError(error, "not_found") || (error instanceof GuardedFetchError && error.code === "bad_url"),
    }));
    const wait = styleOf(delivery.style).scheduleMs[delivery.attempts];
    await recordDelivery(db, {
      id: delivery.id,
      delivered: outcome.delivered,
      statusCode: outcome.statusCode,
      milliseconds: Math.round(performance.now() - started),
      error: outcome.error,
      retryInMs: outcome.isFinal || wait === undefined ? null : wait,
    });
    metrics.webhookSent(outcome.delivered);
    const { id, jobId, attempts } = delivery;
    log.debug("webhook", {
      id,
      jobId,
      attempt: attempts + 1,
      statusCode: outcome.statusCode,
      error: outcome.error,
    });
  }

  async #send(delivery: DueDelivery) {
    const { db, links, allowHosts, tracer } = this.#options;
    const style = styleOf(delivery.style);
    const job = await getJob(db, { tenant: delivery.tenant }, delivery.jobId);
    const message = await style.compose(delivery, job, links());
    const parent = parseTraceparent(job.extras.traceparent);
    const context = childOf(parent);
    const startMs = Date.now();
    const answer = await guardedFetch(delivery.url, {
      method: "POST",
      ...message,
      headers: {
        "user-agent": "cartoon-webhooks/6.0",
        traceparent: formatTraceparent(context),
        ...message.headers,
      },
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs: TIMEOUT_MS,
      redirects: 0,
      allowHosts,
      signal: this.#stop.signal,
    });
    const attributes = { "cartoon.job_id": job.id, "http.response.status_code": answer.status };
    tracer.record({
      name: "webhook",
      kind: "client",
      context,
      parent,
      startMs,
      endMs: Date.now(),
      attributes,
    });
    const delivered = style.isDelivered(answer.status);
    return {
      statusCode: answer.status,
      delivered,
      error: delivered ? undefined : `the receiver answered ${answer.status}`,
      isFinal: answer.status === GONE,
    };
  }
}

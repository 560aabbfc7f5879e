import type { Job, Receipt } from "@cartoon/db";
import { childOf, formatTraceparent, parseTraceparent, type SpanContext } from "./context.ts";
import type { Tracer } from "./tracer.ts";

/** The spans of one attempt: its wait in the queue, the call to the node, and the stages of the node's receipt. */
export class AttemptTrace {
  readonly #tracer: Tracer;
  readonly #job: Job;
  readonly #parent: SpanContext | undefined;
  readonly #context: SpanContext;
  readonly #startMs = Date.now();

  constructor(tracer: Tracer, job: Job) {
    this.#tracer = tracer;
    this.#job = job;
    this.#parent = parseTraceparent(job.extras.traceparent);
    this.#context = childOf(this.#parent);
    tracer.record({ name: "queue", parent: this.#parent, startMs: job.queuedAt, endMs: this.#startMs });
  }

  /** For the node. */
  get traceparent(): string {
    return formatTraceparent(this.#context);
  }

  end(node: string, outcome: string, receipt: Receipt | null): void {
    const endMs = Date.now();
    this.#tracer.record({
      name: "NodeService.Run",
      kind: "client",
      context: this.#context,
      parent: this.#parent,
      startMs: this.#startMs,
      endMs,
      attributes: {
        "cartoon.job_id": this.#job.id,
        "cartoon.attempt": this.#job.attempt,
        "cartoon.node": node,
        "cartoon.outcome": outcome,
      },
      ...(outcome === "succeeded" || outcome === "canceled" ? {} : { error: outcome }),
    });
    // The receipt tells how long each stage took and in which order; the last one ended just now.
    let stageEnd = endMs;
    for (const { stage, seconds } of [...(receipt?.stages ?? [])].reverse()) {
      const startMs = stageEnd - seconds * 1000;
      this.#tracer.record({ name: stage, parent: this.#context, startMs, endMs: stageEnd });
      stageEnd = startMs;
    }
  }
}

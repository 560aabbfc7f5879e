import type { Job, Receipt } from "@cartoon/db";
import { childOf, formatTraceparent, parseTraceparent, type SpanContext } from "./context.ts";
import type { Tracer } from "./tracer.ts";

/** Stages of the node itself, when the runner has been given back. */
const AFTER_RUNNER: ReadonlySet<string> = new Set(["mux", "upload"]);

/**
 * The spans of one attempt: its wait in the queue, the call to the node, the runner's work in it, and the stages that
 * the node's receipt tells.
 */
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
    this.#recordStages(receipt, endMs);
  }

  // The receipt tells how long each stage took and in which order; the last one ended just now.
  #recordStages(receipt: Receipt | null, endMs: number): void {
    const runner = childOf(this.#context);
    let held: { startMs: number; endMs: number } | undefined;
    let stageEnd = endMs;
    for (const { stage, seconds } of [...(receipt?.stages ?? [])].reverse()) {
      const startMs = stageEnd - seconds * 1000;
      const onDevice = !AFTER_RUNNER.has(stage);
      const parent = onDevice ? runner : this.#context;
      this.#tracer.record({ name: stage, parent, startMs, endMs: stageEnd });
      if (onDevice) held = { startMs, endMs: held?.endMs ?? stageEnd };
      stageEnd = startMs;
    }
    if (!held) return;
    const attributes = {
      "cartoon.device_seconds": receipt?.deviceSeconds ?? 0,
      "cartoon.steps_done": receipt?.stepsDone ?? 0,
    };
    this.#tracer.record({ name: "runner", context: runner, parent: this.#context, ...held, attributes });
  }
}

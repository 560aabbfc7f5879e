import type { Database, Job } from "@cartoon/db";
import { TERMINAL_STATUSES } from "@cartoon/protos";
import { Counter, Histogram, Registry } from "prom-client";
import { addProcessMetrics } from "./process.ts";
import { addStateMetrics, type StateSources } from "./state.ts";

/** Upper bounds in seconds, from a cached read to a long render. */
const REQUEST_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
const QUEUE_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200];
const STAGE_BUCKETS = [0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600, 1_800];
const STEP_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Stages under the names that dashboards know. */
const STAGE_LABELS: Readonly<Record<string, string>> = { decode: "vae", speech: "tts" };
/** Shapes that get a label of their own; a client must not be able to make labels without end. */
const MAX_SHAPES = 64;

/**
 * What an edge tells Prometheus. Counters count what this edge has written to the database, so that the sum over
 * all edges counts everything once; the gauges of queue and nodes show the same thing on every edge.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #shapes = new Set<string>();
  readonly #jobs = this.#counter("cartoon_jobs_total", "Jobs that have ended", ["outcome"]);
  readonly #failures = this.#counter(
    "cartoon_attempt_failures_total",
    "Attempts that failed, by error code",
    ["code"],
  );
  readonly #deviceSeconds = this.#counter(
    "cartoon_device_seconds_total",
    "Seconds that devices were held",
    [],
  );
  readonly #deliveries = this.#counter("cartoon_webhook_deliveries_total", "Attempts to deliver a webhook", [
    "outcome",
  ]);
  readonly #queue = this.#histogram(
    "cartoon_queue_seconds",
    "From submission to first start",
    [],
    QUEUE_BUCKETS,
  );
  readonly #run = this.#histogram("cartoon_run_seconds", "From first start to a result", [], STAGE_BUCKETS);
  readonly #stage = this.#histogram(
    "cartoon_stage_seconds",
    "Seconds in a stage of a finished render",
    ["stage"],
    STAGE_BUCKETS,
  );
  readonly #step = this.#histogram(
    "cartoon_step_seconds",
    "Mean seconds of a denoise step, by width x height x frames",
    ["shape"],
    STEP_BUCKETS,
  );
  readonly #requests = this.#histogram(
    "cartoon_http_request_seconds",
    "HTTP requests, by the pattern of their route",
    ["route", "method", "status"],
    REQUEST_BUCKETS,
  );

  constructor() {
    for (const outcome of TERMINAL_STATUSES) this.#jobs.inc({ outcome }, 0);
    addProcessMetrics(this.registry);
  }

  /** Starts to count what the database tells of, and adds the gauges. Returns the way out. */
  watch(db: Database, sources: Omit<StateSources, "db">): () => void {
    addStateMetrics(this.registry, { db, ...sources });
    return db.subscribe((wake) => {
      if (wake.type === "ended") this.jobEnded(wake.job);
    });
  }

  jobStarted(job: Job): void {
    if (job.attempt === 1 && job.startedAt !== null)
      this.#queue.observe(Math.max(0, job.startedAt - job.createdAt) / 1000);
  }

  jobEnded(job: Job): void {
    this.#jobs.inc({ outcome: job.status });
    if (job.deviceSeconds > 0) this.#deviceSeconds.inc(job.deviceSeconds);
    if (job.status !== "succeeded") return;
    if (job.startedAt !== null && job.completedAt !== null)
      this.#run.observe(Math.max(0, job.completedAt - job.startedAt) / 1000);
    for (const { stage, seconds } of job.receipt?.stages ?? [])
      this.#stage.observe({ stage: STAGE_LABELS[stage] ?? stage }, seconds);
    const denoise = job.receipt?.stages.find(({ stage }) => stage === "denoise");
    const steps = job.receipt?.stepsDone ?? 0;
    if (denoise && steps > 0) this.#step.observe({ shape: this.#shapeOf(job) }, denoise.seconds / steps);
  }

  attemptFailed(code: string): void {
    this.#failures.inc({ code });
  }

  webhookSent(delivered: boolean): void {
    this.#deliveries.inc({ outcome: delivered ? "delivered" : "failed" });
  }

  requestDone(request: { route: string; method: string; status: number }, seconds: number): void {
    this.#requests.observe(request, seconds);
  }

  #shapeOf({ spec: { clip } }: Job): string {
    const shape = clip ? `${clip.width}x${clip.height}x${clip.num_frames}` : "none";
    if (this.#shapes.size < MAX_SHAPES) this.#shapes.add(shape);
    return this.#shapes.has(shape) ? shape : "other";
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram<T extends string>(name: string, help: string, labelNames: T[], buckets: number[]): Histogram<T> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] });
  }
}

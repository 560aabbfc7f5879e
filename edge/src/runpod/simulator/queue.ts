/** States that RunPod shows; `RUNNING` of its documentation never appears. */
export type SimulatedStatus = "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";

export interface SimulatedJob {
  id: string;
  input: unknown;
  status: SimulatedStatus;
  createdAt: number;
  startedAt?: number;
  completedAt?: number;
  workerId?: string;
  output?: unknown;
  error?: string;
  /** Chunks that no client has read yet. */
  stream: unknown[];
  retries: number;
  /** For the worker's eyes only. */
  s3Config?: Record<string, unknown>;
  webhook?: string;
  executionTimeout: number;
  ttl: number;
  lowPriority: boolean;
}

export interface JobRequest {
  input: unknown;
  s3Config?: Record<string, unknown>;
  webhook?: string;
  policy?: { executionTimeout?: number; ttl?: number; lowPriority?: boolean };
}

const DEFAULT_EXECUTION_TIMEOUT_MS = 600_000;
const DEFAULT_TTL_MS = 86_400_000;

/**
 * One endpoint's queue, as the cloud keeps it: in memory, oldest first, low priority last.
 * `changed` resolves whenever any job changes, so that long polls need no timer of their own.
 */
export class SimulatedQueue {
  readonly jobs = new Map<string, SimulatedJob>();
  readonly workers = new Map<string, number>();
  readonly stops = new Map<string, string[]>();
  private waiters: (() => void)[] = [];

  add(request: JobRequest, prefix: "" | "sync-"): SimulatedJob {
    const job: SimulatedJob = {
      id: `${prefix}${crypto.randomUUID()}-u1`,
      input: request.input,
      status: "IN_QUEUE",
      createdAt: Date.now(),
      stream: [],
      retries: 0,
      s3Config: request.s3Config,
      webhook: request.webhook,
      executionTimeout: request.policy?.executionTimeout ?? DEFAULT_EXECUTION_TIMEOUT_MS,
      ttl: request.policy?.ttl ?? DEFAULT_TTL_MS,
      lowPriority: request.policy?.lowPriority ?? false,
    };
    this.jobs.set(job.id, job);
    this.wake();
    return job;
  }

  /** Hands up to `count` waiting jobs to a worker. */
  take(workerId: string, count: number): SimulatedJob[] {
    this.expire();
    const waiting = [...this.jobs.values()].filter((job) => job.status === "IN_QUEUE");
    waiting.sort((a, b) => Number(a.lowPriority) - Number(b.lowPriority) || a.createdAt - b.createdAt);
    const taken = waiting.slice(0, count);
    for (const job of taken) {
      job.status = "IN_PROGRESS";
      job.startedAt = Date.now();
      job.workerId = workerId;
    }
    if (taken.length > 0) this.wake();
    return taken;
  }

  finish(job: SimulatedJob, status: SimulatedStatus, result: { output?: unknown; error?: string }): void {
    if (isFinal(job.status)) return;
    Object.assign(job, { status, completedAt: Date.now(), output: result.output, error: result.error });
    this.wake();
  }

  /** Stops a running job's worker and ends the job. */
  stop(job: SimulatedJob, status: "CANCELLED" | "TIMED_OUT"): void {
    if (isFinal(job.status)) return;
    if (job.workerId) this.stops.set(job.workerId, [...(this.stops.get(job.workerId) ?? []), job.id]);
    this.finish(job, status, status === "TIMED_OUT" ? { error: "job timed out" } : {});
  }

  requeue(job: SimulatedJob): void {
    Object.assign(job, { status: "IN_QUEUE", retries: job.retries + 1, stream: [] });
    job.output = job.error = job.startedAt = job.completedAt = job.workerId = undefined;
    this.wake();
  }

  /** Applies execution time-outs and the time to live, which takes a job away even while it runs. */
  expire(now = Date.now()): void {
    for (const job of this.jobs.values()) {
      if (job.status === "IN_PROGRESS" && now - (job.startedAt ?? now) > job.executionTimeout)
        this.stop(job, "TIMED_OUT");
      if (now - job.createdAt > job.ttl) {
        this.stop(job, "CANCELLED");
        this.jobs.delete(job.id);
      }
    }
  }

  wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Waits until `ready` holds, `milliseconds` have gone by or `signal` fires. */
  async until(ready: () => boolean, milliseconds: number, signal?: AbortSignal): Promise<void> {
    const end = Date.now() + milliseconds;
    while (!ready() && Date.now() < end && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(500, end - Date.now()));
        this.waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.expire();
    }
  }
}

export function isFinal(status: SimulatedStatus): boolean {
  return status !== "IN_QUEUE" && status !== "IN_PROGRESS";
}

import { type Database, type Job, lease, peekQueue, sweep } from "@cartoon/db";
import { log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { CallerBuckets } from "../store/caller-bucket.ts";
import type { Destinations } from "../store/destinations.ts";
import type { Store } from "../store/store.ts";
import type { Tracer } from "../tracing/tracer.ts";
import { type AttemptDeps, RunningAttempt } from "./attempt.ts";
import type { NodeDirectory, Placement } from "./node-directory.ts";

export interface DispatcherOptions {
  db: Database;
  store: Store;
  destinations: Destinations;
  callerBuckets: CallerBuckets;
  nodes: NodeDirectory;
  /** Names this edge in leases. */
  edgeId: string;
  leaseMs?: number;
  checkpointEvery?: number;
  metrics: Metrics;
  tracer: Tracer;
  sweepMs?: number;
}

const LEASE_MS = 15_000;
const CHECKPOINT_EVERY = 5;
const SWEEP_MS = 1_000;
/** Looked at beyond the free permits, so that a job whose model is warm can go before one whose model is not. */
const LOOK_AHEAD = 4;

/** Takes jobs from the queue to nodes. Any number of edges may do so on the same database. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #deps: AttemptDeps;
  readonly #attempts = new Map<string, { attempt: RunningAttempt; done: Promise<void> }>();
  readonly #unsubscribe: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #pumping = false;
  #again = false;
  #draining = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#deps = {
      db: options.db,
      store: options.store,
      destinations: options.destinations,
      callerBuckets: options.callerBuckets,
      metrics: options.metrics,
      tracer: options.tracer,
      leaseMs: options.leaseMs ?? LEASE_MS,
      checkpointEvery: options.checkpointEvery ?? CHECKPOINT_EVERY,
    };
  }

  get edgeId() {
    return this.#options.edgeId;
  }
  get running(): number {
    return this.#attempts.size;
  }

  start(): void {
    const { db, nodes } = this.#options;
    this.#unsubscribe.push(
      nodes.subscribe(() => this.wake()),
      db.subscribe((wake) => {
        if (wake.type === "cancel") this.#attempts.get(wake.jobId)?.attempt.stop();
        else if (wake.type === "queued" || wake.type === "poll") this.wake();
      }),
    );
    this.#timer = setInterval(() => void this.#tick(), this.#options.sweepMs ?? SWEEP_MS);
    this.wake();
  }

  /** Looks at the queue now; calls while it looks make it look once more. */
  wake(): void {
    if (this.#draining) return;
    this.#again = true;
    if (!this.#pumping) void this.#pump();
  }

  /**
   * Takes no more jobs and waits for those that run; what is not done after `graceMs` goes back to the queue with
   * its checkpoint.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    clearInterval(this.#timer);
    for (const off of this.#unsubscribe) off();
    const all = () => Promise.allSettled([...this.#attempts.values()].map(({ done }) => done));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([all(), patience]);
    clearTimeout(timer);
    for (const { attempt } of this.#attempts.values()) attempt.release();
    await all();
  }

  async #tick(): Promise<void> {
    try {
      const swept = await sweep(this.#options.db);
      for (const jobId of swept.timedOut) log.info("job timed out", { jobId });
      for (const jobId of swept.expiredLeases) log.warn("a lease expired", { jobId });
    } catch (error) {
      log.warn("the sweep failed", { error });
    }
    this.wake();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      while (this.#again && !this.#draining) {
        this.#again = false;
        await this.#dispatch();
      }
    } catch (error) {
      log.warn("the queue could not be read", { error });
    } finally {
      this.#pumping = false;
    }
  }

  async #dispatch(): Promise<void> {
    const { db, nodes } = this.#options;
    const free = () => nodes.freePermits + nodes.freeSpeechPermits;
    if (free() === 0) return;
    const queue = await peekQueue(db, free() + LOOK_AHEAD, this.#packs());
    for (const job of queue) {
      if (this.#draining || free() === 0) return;
      const placement = nodes.choose(job.spec);
      if (placement) await this.#take(job, placement);
    }
  }

  async #take(job: Job, { node, place }: Placement): Promise<void> {
    const count = (change: 1 | -1) => {
      if (place === "speech") node.speechInFlight += change;
      else node.inFlight += change;
    };
    // Counted before the lease is there, so that a second job can't be sent for the same permit.
    count(1);
    let leased: Job | undefined;
    try {
      const wanted = { edgeId: this.edgeId, nodeId: node.id, leaseMs: this.#deps.leaseMs, ids: [job.id] };
      [leased] = await lease(this.#options.db, wanted);
    } finally {
      if (!leased) count(-1);
    }
    if (!leased) return;
    this.#options.metrics.jobStarted(leased);
    const attempt = new RunningAttempt(leased, node, this.#deps);
    const done = attempt.run().finally(() => {
      count(-1);
      if (this.#attempts.get(job.id)?.attempt === attempt) this.#attempts.delete(job.id);
      this.wake();
    });
    this.#attempts.set(job.id, { attempt, done });
  }

  // Jobs for packs that no free node has stay in the queue and hold nobody up.
  #packs(): string[] {
    const able = this.#options.nodes.nodes.filter((node) => node.freePermits + node.freeSpeechPermits > 0);
    return ["", ...new Set(able.flatMap((node) => node.packs.map((pack) => pack.manifest.name)))];
  }
}

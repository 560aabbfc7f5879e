import {
  type Attempt,
  beginCommit,
  commit,
  confirmCancel,
  type Database,
  fail,
  getJob,
  isVerbError,
  type Job,
  type JobResult,
  type Receipt,
  renew,
  wantsPartial,
} from "@cartoon/db";
import type { Artefact__Output } from "@cartoon/protos/gen/Artefact";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import type { ServiceError } from "@grpc/grpc-js";
import { status as GrpcStatus } from "@grpc/grpc-js";
import { log } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { BucketRefusal, type CallerBuckets, DELIVERED } from "../store/caller-bucket.ts";
import type { Destinations } from "../store/destinations.ts";
import { jobPrefix } from "../store/key.ts";
import type { Store } from "../store/store.ts";
import { AttemptTrace } from "../tracing/attempt-trace.ts";
import type { Tracer } from "../tracing/tracer.ts";
import type { Node } from "./node.ts";
import {
  type AttemptFailure,
  isLost,
  isServiceError,
  type Outcome,
  receiptOf,
  toReceipt,
} from "./outcome.ts";
import { persist } from "./persist.ts";
import { reportOf } from "./report-of.ts";
import { ReportWriter } from "./report-writer.ts";
import { checkpointKey, runRequest } from "./run-request.ts";
import type { RunCall } from "./transport.ts";
import { verifyPartial, verifyResults } from "./verify-results.ts";

export interface AttemptDeps {
  db: Database;
  store: Store;
  destinations: Destinations;
  callerBuckets: CallerBuckets;
  metrics: Metrics;
  tracer: Tracer;
  leaseMs: number;
  /** Steps between checkpoints. */
  checkpointEvery: number;
}

interface UploadFailure {
  message: string;
  retryable: boolean;
}

/** How long a node may take to end an attempt that it was asked to stop. */
const STOP_GRACE_MS = 20_000;
/** And where it makes a clip of what there is first. */
const PARTIAL_GRACE_MS = 120_000;

/** One attempt of one job on one node, from the call to the state that the job is in afterwards. */
export class RunningAttempt {
  readonly job: Job;
  readonly #node: Node;
  readonly #deps: AttemptDeps;
  readonly #reports: ReportWriter;
  readonly #trace: AttemptTrace;
  #call: RunCall | undefined;
  #accepted = false;
  #stopping = false;
  #over = false;
  #drained = false;
  #abandoned = false;
  #leaseUntil: number;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(job: Job, node: Node, deps: AttemptDeps) {
    this.job = job;
    this.#node = node;
    this.#deps = deps;
    this.#leaseUntil = Date.now() + deps.leaseMs;
    this.#trace = new AttemptTrace(deps.tracer, job);
    this.#reports = new ReportWriter(deps.db, this.#attempt, () => this.stop(), deps.leaseMs);
  }

  /** Runs to the end and writes the outcome down; never throws for what a node or a job does. */
  async run(): Promise<void> {
    const heartbeat = setInterval(() => void this.#renew(), this.#deps.leaseMs / 3);
    try {
      const outcome = await this.#follow();
      this.#trace.end(this.#node.address, outcome.kind, receiptOf(outcome));
      await this.#settle(outcome);
    } catch (error) {
      if (isLost(error)) log.info("attempt abandoned", this.#fields());
      else log.error("attempt ended without an outcome; its lease will expire", { ...this.#fields(), error });
    } finally {
      this.#over = true;
      clearInterval(heartbeat);
      clearTimeout(this.#stopTimer);
      this.#call?.cancel();
    }
  }

  /** Asks the node to stop; the receipt comes on the stream, or the call is cut after a while. */
  stop(): void {
    if (this.#stopping || this.#abandoned) return;
    this.#stopping = true;
    this.#cutOffAfter(STOP_GRACE_MS);
    void this.#askToStop();
  }

  async #askToStop(): Promise<void> {
    const { id: jobId, fence } = this.job;
    const partial = await this.#wantsPartial();
    if (this.#over) return;
    if (partial) this.#cutOffAfter(PARTIAL_GRACE_MS);
    const found = await this.#node.stop({ jobId, fence, partial });
    if (!found) log.warn("the node does not know the attempt that it is to stop", this.#fields());
  }

  async #wantsPartial(): Promise<boolean> {
    try {
      return wantsPartial(await getJob(this.#deps.db, { operator: true }, this.job.id));
    } catch {
      // Without the database there is nowhere to note such a clip down either.
      return false;
    }
  }

  #cutOffAfter(ms: number): void {
    clearTimeout(this.#stopTimer);
    this.#stopTimer = setTimeout(() => this.#call?.cancel(), ms);
  }

  /** Gives the job back to the queue, with its checkpoint, because this edge is going down. */
  release(): void {
    this.#drained = true;
    this.#call?.cancel();
  }

  get #attempt(): Attempt {
    return { id: this.job.id, fence: this.job.fence };
  }

  #fields() {
    const { id: jobId, attempt, fence, extras } = this.job;
    return { jobId, requestId: extras.request_id, attempt, fence, node: this.#node.address };
  }

  async #renew(): Promise<void> {
    try {
      const renewed = await renew(this.#deps.db, this.#attempt, this.#deps.leaseMs);
      this.#leaseUntil = Date.now() + this.#deps.leaseMs;
      if (renewed.cancelRequested) this.stop();
    } catch (error) {
      if (isLost(error) || Date.now() >= this.#leaseUntil) this.#abandon();
      else log.warn("a lease could not be renewed yet", { ...this.#fields(), error });
    }
  }

  #abandon(): void {
    this.#abandoned = true;
    this.#call?.cancel();
  }

  async #follow(): Promise<Outcome> {
    const request = await runRequest(this.job, { ...this.#deps, traceparent: this.#trace.traceparent });
    if (this.#drained) return this.#outcomeOfLoss(undefined);
    const call = this.#node.run(request);
    this.#call = call;
    try {
      // Not `call.on("data")`: only iteration holds the node back while the database is slow.
      for await (const message of call) {
        const outcome = await this.#take(message);
        if (!outcome) continue;
        await this.#reports.flush();
        return outcome;
      }
      await this.#reports.flush();
      return this.#outcomeOfLoss(undefined);
    } catch (error) {
      if (isLost(error)) return { kind: "abandoned" };
      if (!isServiceError(error)) throw error;
      return await this.#afterLoss(error);
    }
  }

  async #take(message: RunResponse__Output): Promise<Outcome | undefined> {
    if (message.accepted) this.#accepted = true;
    if (message.succeeded) {
      const { artefacts, receipt } = message.succeeded;
      return { kind: "succeeded", artefacts, receipt: toReceipt(receipt) };
    }
    if (message.failed) {
      const { code, message: text, retryable, receipt } = message.failed;
      const nodeDied = code === "runner_lost";
      if (nodeDied) this.#node.failed();
      return {
        kind: "failed",
        failure: {
          ...{ code, message: text, retryable, nodeDied, receipt: toReceipt(receipt) },
          blameless: code === "node_draining",
        },
      };
    }
    if (message.canceled) {
      const { artefacts, receipt } = message.canceled;
      return { kind: "canceled", artefacts, receipt: toReceipt(receipt) };
    }
    const update = reportOf(message, checkpointKey(this.job));
    if (update) await this.#reports.add(update);
    return undefined;
  }

  // What the node said before it was lost is written down all the same.
  async #afterLoss(error: ServiceError): Promise<Outcome> {
    try {
      await this.#reports.flush();
    } catch (failure) {
      if (isLost(failure)) return { kind: "abandoned" };
      throw failure;
    }
    return this.#outcomeOfLoss(error);
  }

  #outcomeOfLoss(error: ServiceError | undefined): Outcome {
    if (this.#abandoned) return { kind: "abandoned" };
    if (this.#stopping) return { kind: "canceled", receipt: null, artefacts: [] };
    const failed = (failure: AttemptFailure): Outcome => ({ kind: "failed", failure });
    if (this.#drained)
      return failed({
        code: "edge_drained",
        message: "the edge went down",
        retryable: true,
        blameless: true,
      });
    if (error?.code === GrpcStatus.RESOURCE_EXHAUSTED) {
      this.#node.busy();
      return failed({ code: "node_busy", message: "the node was busy", retryable: true, blameless: true });
    }
    this.#node.failed();
    const why = error ? `${GrpcStatus[error.code]}: ${error.details}` : "the stream ended early";
    if (!this.#accepted)
      return failed({ code: "node_unreachable", message: why, retryable: true, blameless: true });
    return failed({ code: "node_lost", message: why, retryable: true, nodeDied: true });
  }

  async #settle(outcome: Outcome): Promise<void> {
    const { db } = this.#deps;
    switch (outcome.kind) {
      case "abandoned":
        log.info("attempt abandoned", this.#fields());
        return;
      case "succeeded":
        return this.#commit(outcome.artefacts, outcome.receipt);
      case "failed":
        log.info("attempt failed", { ...this.#fields(), ...outcome.failure });
        this.#deps.metrics.attemptFailed(outcome.failure.code);
        await this.#persist(() => fail(db, { ...outcome.failure, ...this.#attempt }));
        return;
      case "canceled":
        try {
          const partial = await verifyPartial(this.job, outcome.artefacts, this.#deps);
          await this.#persist(() => confirmCancel(db, this.#attempt, outcome.receipt, partial));
        } catch (error) {
          if (!isVerbError(error, "invalid_transition")) throw error;
          // Nobody here asked for it: the node itself gave the attempt up, as it does when it drains.
          const message = "the node gave the attempt up";
          const failure = { code: "node_drained", message, retryable: true, blameless: true };
          await this.#persist(() => fail(db, { ...failure, ...this.#attempt }));
        }
    }
  }

  async #commit(artefacts: readonly Artefact__Output[], receipt: Receipt): Promise<void> {
    const { db, leaseMs } = this.#deps;
    await this.#persist(() => beginCommit(db, this.#attempt, leaseMs));
    const results = await this.#results(artefacts);
    if (!Array.isArray(results)) {
      const failure = { ...results, code: "upload_failed", receipt };
      this.#deps.metrics.attemptFailed(failure.code);
      await this.#persist(() => fail(db, { ...failure, ...this.#attempt }));
      return;
    }
    await this.#persist(() => commit(db, this.#attempt, { results, receipt }));
    this.#node.succeeded();
    log.info("render done", { ...this.#fields(), deviceSeconds: receipt.deviceSeconds });
    await this.#tidy();
  }

  /** What was made, checked, where it is to lie in the end; or why not. */
  async #results(artefacts: readonly Artefact__Output[]): Promise<JobResult[] | UploadFailure> {
    const { callerBuckets } = this.#deps;
    const made = await verifyResults(this.job, artefacts, this.#deps);
    if (typeof made === "string") return { message: made, retryable: true };
    try {
      return [...(await callerBuckets.deliver(this.job, made))];
    } catch (error) {
      if (error instanceof BucketRefusal) return { message: error.message, retryable: error.retryable };
      throw error;
    }
  }

  /** Checkpoints and half-done uploads are of no use once there is a result; what stays here goes with the job. */
  async #tidy(): Promise<void> {
    const { store } = this.#deps;
    try {
      await store.deletePrefix(checkpointKey(this.job));
      // What went to a bucket of the caller's is kept there, and there alone.
      const last = this.job.extras[DELIVERED] === true ? this.job.attempt + 1 : this.job.attempt;
      for (let attempt = 1; attempt < last; attempt++)
        await store.deletePrefix(`${jobPrefix(this.job.id)}a${attempt}/`);
    } catch (error) {
      log.warn("what a render left behind could not be deleted", { ...this.#fields(), error });
    }
  }

  #persist<T>(write: () => Promise<T>): Promise<T> {
    return persist(write, this.#deps.leaseMs);
  }
}

import type { AttachRequest__Output } from "@cartoon/protos/gen/AttachRequest";
import type { AttachResponse } from "@cartoon/protos/gen/AttachResponse";
import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import type { NodeStatus__Output } from "@cartoon/protos/gen/NodeStatus";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import { status as Code, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { NodeTransport, RunCall, StopOptions, WatchListener } from "../dispatcher/transport.ts";
import { RunQueue } from "./run-queue.ts";

const STOP_TIMEOUT_MS = 10_000;

/** The side of an Attach stream that belongs to this edge. */
export interface AttachStream {
  write(message: AttachResponse): void;
  /** Holds the node back, and lets it go on. */
  pause(): void;
  resume(): void;
  /** Ends the stream; the node is told why. */
  hangUp(error: ServiceError): void;
}

export const serviceError = (code: Code, details: string): ServiceError =>
  Object.assign(new Error(details), { code, details, metadata: new Metadata() });

/**
 * A node that has dialled this edge. The object outlives its streams, so that a node that comes back after a cut is
 * the same node, with its failures counted on; calls do not outlive the stream that they were made on.
 */
export class AttachedTransport implements NodeTransport {
  readonly address: string;
  readonly #runs = new Map<number, RunQueue>();
  readonly #stops = new Map<number, (found: boolean) => void>();
  readonly #watchers = new Set<WatchListener>();
  #stream: AttachStream | undefined;
  #described: DescribeResponse__Output | undefined;
  #status: NodeStatus__Output | undefined;
  #lastCall = 0;
  /** When it was last attached, in ms since 1970. */
  seenAt = Date.now();

  constructor(address: string) {
    this.address = address;
  }

  get isAttached(): boolean {
    return this.#stream !== undefined;
  }

  /** A stream has been opened and has said hello; an older one of the same node is of no use any more. */
  open(stream: AttachStream, hello: DescribeResponse__Output): void {
    const older = this.#stream;
    if (older) {
      this.lost(older, undefined);
      older.hangUp(serviceError(Code.ABORTED, "the node has opened another stream"));
    }
    this.#stream = stream;
    this.#described = hello;
    this.#tell(hello.status);
  }

  /** A message after hello. */
  receive(stream: AttachStream, { call, status, run, stop, end }: AttachRequest__Output): void {
    if (stream !== this.#stream) return;
    if (status) this.#tell(status);
    if (run) {
      const queue = this.#runs.get(call);
      queue?.push(run);
      if (queue?.isFull) stream.pause();
    }
    if (stop) this.#answerStop(call, stop.found);
    if (end) {
      this.#runs.get(call)?.end(end.code === Code.OK ? undefined : serviceError(end.code, end.details));
      this.#runs.delete(call);
    }
  }

  /** A stream has ended. Its calls end as those of a broken connection do. */
  lost(stream: AttachStream, error: ServiceError | undefined): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.#status = undefined;
    this.seenAt = Date.now();
    const details = `the stream that the node had opened broke${error ? `: ${error.details}` : ""}`;
    for (const run of this.#runs.values()) run.end(serviceError(Code.UNAVAILABLE, details));
    this.#runs.clear();
    for (const call of this.#stops.keys()) this.#answerStop(call, false);
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.lost(error);
  }

  run(request: RunRequest): RunCall {
    const stream = this.#stream;
    const call = ++this.#lastCall;
    const cancel = () => {
      if (stream && stream === this.#stream) stream.write({ call, cancel: {} });
      this.#runs.delete(call);
      queue.end(serviceError(Code.CANCELLED, "given up by this edge"));
    };
    const queue = new RunQueue(cancel, () => stream?.resume());
    if (stream) {
      this.#runs.set(call, queue);
      stream.write({ call, run: request });
    } else queue.end(serviceError(Code.UNAVAILABLE, "the node is not attached"));
    return queue;
  }

  stop({ jobId, fence, partial }: StopOptions): Promise<boolean> {
    const stream = this.#stream;
    if (!stream) return Promise.resolve(false);
    const call = ++this.#lastCall;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answerStop(call, false), STOP_TIMEOUT_MS);
      this.#stops.set(call, (found) => {
        clearTimeout(timer);
        resolve(found);
      });
      stream.write({ call, stop: { job_id: jobId, fence, partial } });
    });
  }

  async describe(): Promise<DescribeResponse__Output> {
    if (!this.#described) throw serviceError(Code.UNAVAILABLE, "the node is not attached");
    return this.#described;
  }

  watch(listener: WatchListener): () => void {
    this.#watchers.add(listener);
    const status = this.#status;
    // Not at once: the one who asks does not hold the way out yet.
    if (status) queueMicrotask(() => this.#watchers.has(listener) && listener.status(status));
    return () => this.#watchers.delete(listener);
  }

  close(): void {
    this.#stream?.hangUp(serviceError(Code.UNAVAILABLE, "the edge has forgotten this node"));
  }

  #tell(status: NodeStatus__Output | null): void {
    if (!status) return;
    const said = JSON.stringify(status);
    const news = said !== JSON.stringify(this.#status);
    this.#status = status;
    // The same again is a sign of life.
    if (news) for (const watcher of this.#watchers) watcher.status(status);
  }

  #answerStop(call: number, found: boolean): void {
    this.#stops.get(call)?.(found);
    this.#stops.delete(call);
  }
}

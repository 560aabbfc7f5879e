import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import type { NodeStatus__Output } from "@cartoon/protos/gen/NodeStatus";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import type { ServiceError } from "@grpc/grpc-js";

/** What one attempt's node says, in its order; iteration throws a ServiceError where the call breaks. */
export interface RunCall extends AsyncIterable<RunResponse__Output> {
  /** Gives the attempt up. Without effect once it has ended. */
  cancel(): void;
}

export interface StopOptions {
  jobId: string;
  fence: number;
  /** Have the frames as they stand made into a clip first. */
  partial: boolean;
}

export interface WatchListener {
  status(status: NodeStatus__Output): void;
  /** The node can't be reached any more; called once. */
  lost(error: ServiceError | undefined): void;
}

/** The way to one node: dialled by this edge, or a stream that the node itself has opened. */
export interface NodeTransport {
  readonly address: string;
  run(request: RunRequest): RunCall;
  /** False when the node does not know the attempt, or does not answer. */
  stop(options: StopOptions): Promise<boolean>;
  describe(): Promise<DescribeResponse__Output>;
  /** Follows the node's status; returns how to stop that. */
  watch(listener: WatchListener): () => void;
  close(): void;
}

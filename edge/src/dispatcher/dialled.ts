import { NodeService } from "@cartoon/protos";
import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { WatchResponse__Output } from "@cartoon/protos/gen/WatchResponse";
import type { ServiceError } from "@grpc/grpc-js";
import type { nodeChannel } from "./credentials.ts";
import type { NodeTransport, RunCall, StopOptions, WatchListener } from "./transport.ts";

const CALL_TIMEOUT_MS = 10_000;

/** A node whose address this edge knows and dials. */
export class DialledTransport implements NodeTransport {
  readonly address: string;
  readonly #client: InstanceType<typeof NodeService>;

  constructor(address: string, channel: ReturnType<typeof nodeChannel>) {
    this.address = address;
    this.#client = new NodeService(address, channel.credentials, channel.options);
  }

  run(request: RunRequest): RunCall {
    return this.#client.Run(request);
  }

  stop({ jobId, fence, partial }: StopOptions): Promise<boolean> {
    return new Promise((resolve) => {
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      this.#client.Stop({ job_id: jobId, fence, partial }, { deadline }, (error, answer) =>
        resolve(!error && answer?.found === true),
      );
    });
  }

  describe(): Promise<DescribeResponse__Output> {
    return new Promise((resolve, reject) => {
      this.#client.Describe({}, { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, answer) =>
        answer ? resolve(answer) : reject(error),
      );
    });
  }

  watch(listener: WatchListener): () => void {
    const call = this.#client.Watch({});
    let over = false;
    const lost = (error: ServiceError | undefined) => {
      if (!over) listener.lost(error);
      over = true;
    };
    call.on("data", ({ status }: WatchResponse__Output) => {
      if (status && !over) listener.status(status);
    });
    call.on("error", lost);
    call.on("end", () => lost(undefined));
    return () => {
      over = true;
      call.cancel();
    };
  }

  close(): void {
    this.#client.close();
  }
}

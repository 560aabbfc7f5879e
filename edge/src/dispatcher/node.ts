import { NodeService, PackManifest } from "@cartoon/protos";
import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import type { NodeStatus__Output } from "@cartoon/protos/gen/NodeStatus";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import type { WatchResponse__Output } from "@cartoon/protos/gen/WatchResponse";
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import { status as GrpcStatus } from "@grpc/grpc-js";
import { log } from "../log.ts";
import type { nodeChannel } from "./credentials.ts";

const CALL_TIMEOUT_MS = 10_000;
const RECONNECT_MS = 500;
const MAX_RECONNECT_MS = 5_000;
/** A node that fails this often in a row rests. */
const FAILURES_BEFORE_REST = 2;
const BUSY_MS = 1_000;

export interface NodeOptions {
  channel: ReturnType<typeof nodeChannel>;
  /** How long a node rests after failures in a row. */
  restMs: number;
}

export interface NodePack {
  manifest: PackManifest;
  isDefault: boolean;
}

/** One GPU node as this edge sees it: its status as it streams in, the attempts that this edge runs there. */
export class Node {
  readonly address: string;
  readonly #client: InstanceType<typeof NodeService>;
  readonly #onChange: () => void;
  readonly #restMs: number;
  #status: NodeStatus__Output | undefined;
  #packs: NodePack[] = [];
  #devices: DescribeResponse__Output["devices"] = [];
  #version = "";
  #watch: ClientReadableStream<WatchResponse__Output> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #reconnectMs = RECONNECT_MS;
  #closed = false;
  #failuresInARow = 0;
  #restingUntil = 0;
  #busyUntil = 0;
  inFlight = 0;

  constructor(address: string, options: NodeOptions, onChange: () => void) {
    this.address = address;
    this.#restMs = options.restMs;
    this.#client = new NodeService(address, options.channel.credentials, options.channel.options);
    this.#onChange = onChange;
    this.#follow();
  }

  get id() {
    return this.#status?.node_id || this.address;
  }
  get health() {
    return this.#status?.health ?? "NODE_HEALTH_UNSPECIFIED";
  }
  /** Why it can't work, in its own words. */
  get detail() {
    return this.#status?.detail ?? "";
  }
  get packs(): readonly NodePack[] {
    return this.#packs;
  }
  get devices() {
    return this.#devices;
  }
  get warm(): readonly string[] {
    return this.#status?.warm ?? [];
  }
  get permits() {
    return this.#status?.permits_total ?? 0;
  }
  get isConnected() {
    return this.#status !== undefined;
  }
  /** Ready or busy, and its packs are known. */
  get isServing() {
    if (this.#packs.length === 0) return false;
    return this.health === "NODE_HEALTH_READY" || this.health === "NODE_HEALTH_BUSY";
  }
  /** Attempts that may be sent now. The node's own count lags behind, so this edge's attempts are counted too. */
  get freePermits(): number {
    const now = Date.now();
    if (!this.isServing || now < this.#restingUntil || now < this.#busyUntil) return 0;
    return Math.max(0, this.permits - this.inFlight);
  }

  describe() {
    return {
      address: this.address,
      node_id: this.id,
      version: this.#version,
      health: this.health.replace("NODE_HEALTH_", "").toLowerCase(),
      permits_total: this.permits,
      in_flight: this.inFlight,
      resting: Date.now() < this.#restingUntil,
      warm: [...this.warm],
      detail: this.#status?.detail ?? "",
      devices: this.#devices,
    };
  }

  /** Starts an attempt. Cancel the returned call to abandon it. */
  run(request: RunRequest): ClientReadableStream<RunResponse__Output> {
    return this.#client.Run(request);
  }

  /** Asks for the end of an attempt; its receipt still comes on the Run stream. */
  stop(jobId: string, fence: number): Promise<boolean> {
    return new Promise((resolve) => {
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      this.#client.Stop({ job_id: jobId, fence }, { deadline }, (error, answer) =>
        resolve(!error && answer?.found === true),
      );
    });
  }

  succeeded(): void {
    this.#failuresInARow = 0;
  }

  /** Counts a failure of the node itself (not of the job); after two in a row it gets no work for a while. */
  failed(): void {
    this.#failuresInARow += 1;
    if (this.#failuresInARow < FAILURES_BEFORE_REST) return;
    this.#restingUntil = Date.now() + this.#restMs;
    log.warn("a node rests after failures in a row", {
      address: this.address,
      failures: this.#failuresInARow,
    });
  }

  /** The node said RESOURCE_EXHAUSTED: others use it too. */
  busy(): void {
    this.#busyUntil = Date.now() + BUSY_MS;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#watch?.cancel();
    this.#client.close();
  }

  #follow(): void {
    if (this.#closed) return;
    const watch = this.#client.Watch({});
    this.#watch = watch;
    watch.on("data", (answer: WatchResponse__Output) => {
      if (!answer.status) return;
      this.#reconnectMs = RECONNECT_MS;
      const before = this.#status;
      this.#status = answer.status;
      if (answer.status.permits_free > 0) this.#busyUntil = 0;
      if (!before || before.node_id !== answer.status.node_id || this.#packs.length === 0) void this.#learn();
      else this.#onChange();
    });
    watch.on("error", (error: ServiceError) => this.#lost(error));
    watch.on("end", () => this.#lost(undefined));
  }

  #lost(error: ServiceError | undefined): void {
    if (this.#closed || this.#retry) return;
    if (this.#status)
      log.warn("lost a node", { address: this.address, code: error && GrpcStatus[error.code] });
    this.#status = undefined;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#follow();
    }, this.#reconnectMs);
    this.#reconnectMs = Math.min(MAX_RECONNECT_MS, this.#reconnectMs * 2);
    this.#onChange();
  }

  async #learn(): Promise<void> {
    try {
      const described = await new Promise<DescribeResponse__Output>((resolve, reject) => {
        this.#client.Describe({}, { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, answer) =>
          answer ? resolve(answer) : reject(error),
        );
      });
      this.#version = described.version;
      this.#devices = described.devices;
      this.#packs = described.packs.map((pack) => ({
        manifest: PackManifest.parse(JSON.parse(pack.manifest_json)),
        isDefault: pack.is_default,
      }));
      log.info("node", { ...this.describe(), packs: described.packs.map((pack) => pack.name) });
    } catch (error) {
      log.warn("a node can't describe itself", { address: this.address, error });
    }
    this.#onChange();
  }
}

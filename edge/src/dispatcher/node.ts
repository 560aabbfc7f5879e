import { PackManifest } from "@cartoon/protos";
import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import type { NodeStatus__Output } from "@cartoon/protos/gen/NodeStatus";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { ServiceError } from "@grpc/grpc-js";
import { status as GrpcStatus } from "@grpc/grpc-js";
import { log } from "../log.ts";
import type { NodeTransport, RunCall, StopOptions } from "./transport.ts";

const RECONNECT_MS = 500;
const MAX_RECONNECT_MS = 5_000;
/** A node that fails this often in a row rests. */
const FAILURES_BEFORE_REST = 2;
const BUSY_MS = 1_000;

export interface NodeOptions {
  /** How long a node rests after failures in a row. */
  restMs: number;
}

export interface NodePack {
  manifest: PackManifest;
  isDefault: boolean;
}

/** One GPU node as this edge sees it: its status as it streams in, the attempts that this edge runs there. */
export class Node {
  readonly #transport: NodeTransport;
  readonly #onChange: () => void;
  readonly #restMs: number;
  #status: NodeStatus__Output | undefined;
  #packs: NodePack[] = [];
  #devices: DescribeResponse__Output["devices"] = [];
  #version = "";
  #unwatch: (() => void) | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #reconnectMs = RECONNECT_MS;
  #closed = false;
  #failuresInARow = 0;
  #restingUntil = 0;
  #busyUntil = 0;
  inFlight = 0;
  /** Of jobs that only speak, in places beyond the permits. */
  speechInFlight = 0;

  constructor(transport: NodeTransport, options: NodeOptions, onChange: () => void) {
    this.#transport = transport;
    this.#restMs = options.restMs;
    this.#onChange = onChange;
    this.#follow();
  }

  get address() {
    return this.#transport.address;
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
    return this.#takesWork ? Math.max(0, this.permits - this.inFlight) : 0;
  }
  /** The same for jobs that only speak: places beyond the permits. */
  get freeSpeechPermits(): number {
    const total = this.#status?.speech_permits_total ?? 0;
    return this.#takesWork ? Math.max(0, total - this.speechInFlight) : 0;
  }
  get #takesWork(): boolean {
    const now = Date.now();
    return this.isServing && now >= this.#restingUntil && now >= this.#busyUntil;
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

  /** What the node measures of itself; undefined where it does not. */
  get usage() {
    return this.#status?.usage ?? undefined;
  }

  /** Starts an attempt. Cancel the returned call to abandon it. */
  run(request: RunRequest): RunCall {
    return this.#transport.run(request);
  }

  /** Asks for the end of an attempt; its receipt still comes on the Run stream. */
  stop(options: StopOptions): Promise<boolean> {
    return this.#transport.stop(options);
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
    this.#unwatch?.();
    this.#transport.close();
  }

  #follow(): void {
    if (this.#closed) return;
    this.#unwatch = this.#transport.watch({
      status: (status) => this.#heard(status),
      lost: (error) => this.#lost(error),
    });
  }

  #heard(status: NodeStatus__Output): void {
    this.#reconnectMs = RECONNECT_MS;
    const before = this.#status;
    this.#status = status;
    if (status.permits_free > 0) this.#busyUntil = 0;
    if (!before || before.node_id !== status.node_id || this.#packs.length === 0) void this.#learn();
    else this.#onChange();
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
      const described = await this.#transport.describe();
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

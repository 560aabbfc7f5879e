import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { channelOptions, NodeService } from "@cartoon/protos";
import type { DescribeResponse } from "@cartoon/protos/gen/DescribeResponse";
import type { NodeServiceHandlers } from "@cartoon/protos/gen/NodeService";
import type { NodeStatus } from "@cartoon/protos/gen/NodeStatus";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import type { RunResponse } from "@cartoon/protos/gen/RunResponse";
import type { WatchRequest__Output } from "@cartoon/protos/gen/WatchRequest";
import type { WatchResponse } from "@cartoon/protos/gen/WatchResponse";
import { status as GrpcStatus, Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";

/** What a run needs of its call; a stream that a node has opened itself can give it too. */
export interface RunCall {
  readonly request: RunRequest__Output;
  readonly cancelled: boolean;
  write(message: RunResponse): unknown;
  end(): void;
  emit(event: "error", error: { code: number; details: string }): unknown;
}
type WatchCall = ServerWritableStream<WatchRequest__Output, WatchResponse>;

const packFile = fileURLToPath(new URL("pack.json", import.meta.url));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** One attempt that the node was given, and the means to act it out. */
export class ScriptedRun {
  readonly request: RunRequest__Output;
  readonly #call: RunCall;
  #sequence = 0;
  stopAsked = false;
  /** Whoever stops it wants to see what there is. */
  partialAsked = false;
  constructor(call: RunCall) {
    this.#call = call;
    this.request = call.request;
  }
  get gone() {
    return this.#call.cancelled;
  }
  send(event: Omit<RunResponse, "sequence">): void {
    this.#sequence += 1;
    if (!this.gone) this.#call.write({ sequence: this.#sequence, ...event });
  }
  end(): void {
    this.#call.end();
  }
  /** Breaks the stream off as a dying process does. */
  cut(): void {
    this.#call.emit("error", { code: GrpcStatus.UNAVAILABLE, details: "cut" });
  }
  /** Ends the call with an error. */
  fail(code: GrpcStatus, details: string): void {
    this.#call.emit("error", { code, details });
  }
  /** Makes an artefact of the given bytes, PUTs it, and tells of it. */
  async upload(name: string, bytes: Uint8Array) {
    const targets = this.partialAsked ? this.request.partial_uploads : this.request.uploads;
    const target = targets.find((upload) => upload.name === name);
    if (!target) throw new Error(`no target for ${name}`);
    const response = await fetch(target.put_url, {
      method: "PUT",
      headers: target.headers,
      body: new Uint8Array(bytes),
    });
    if (!response.ok) throw new Error(`PUT ${name}: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
    const clip = name.startsWith("clip") || name.startsWith("poster");
    const artefact = {
      name,
      content_type: target.content_type,
      bytes: bytes.byteLength,
      sha256: sha256(bytes),
      width: clip ? 256 : 0,
      height: clip ? 256 : 0,
      seconds: name === "poster.png" ? 0 : 2,
    };
    this.send({ artefact });
    return artefact;
  }
  async checkpoint(step: number, bytes: Uint8Array) {
    const target = this.request.checkpoint;
    if (!target) throw new Error("no checkpoint target");
    const headers = { "content-type": "application/octet-stream" };
    const response = await fetch(target.put_url, { method: "PUT", headers, body: new Uint8Array(bytes) });
    if (!response.ok) throw new Error(`checkpoint: ${response.status}`);
    await response.body?.cancel();
    this.send({ checkpointed: { step, sha256: sha256(bytes), bytes: bytes.byteLength } });
  }
}

export type Script = (run: ScriptedRun) => Promise<void>;

const receipt = (done: number, total: number, gpuMemory = 0) => ({
  gpu_memory_bytes: gpuMemory,
  steps_done: done,
  steps_total: total,
  device_seconds: done * 0.1,
  stages: ["lora", "denoise", "decode", "speech", "mux", "upload"].map((stage) => ({
    stage,
    seconds: stage === "denoise" ? done * 0.1 : 0.01,
  })),
});

/** Plays a render through: progress, previews, checkpoints, artefacts; stops at a step when it is asked to. */
export const playThrough =
  (
    options: {
      steps?: number;
      stepMs?: number;
      gpuMemory?: number;
      speechParts?: Uint8Array[];
      /** The attempt of each part, which are all of one chunk then; otherwise each is a chunk. */
      attempts?: number[];
      beforeSpeech?: Promise<unknown>;
      meanwhile?: Promise<unknown>;
    } = {},
  ): Script =>
  async (run) => {
    const { steps = 4, speechParts = [] } = options;
    run.send({ accepted: { node_id: "scripted", device: "cpu", resumed_step: 0 } });
    run.send({
      warning: { field: "clip.width", given: "1024", used: "256", rule: "native size, scaled up" },
    });
    for (let step = 1; step <= steps; step++) {
      await sleep(options.stepMs ?? 5);
      if (run.stopAsked) {
        const artefacts = [];
        for (const { name } of run.partialAsked ? run.request.partial_uploads : [])
          artefacts.push(await run.upload(name, Buffer.from(`${name} after ${step - 1} steps`)));
        run.send({ canceled: { receipt: receipt(step - 1, steps), artefacts } });
        return run.end();
      }
      if (run.gone) return;
      run.send({ progress: { stage: "denoise", fraction: step / (steps + 1), step, steps, eta_seconds: 1 } });
      run.send({ preview: { content_type: "image/webp", data: Buffer.from(`preview ${step}`), step } });
    }
    await options.beforeSpeech;
    for (const [part, data] of speechParts.entries()) {
      const seconds = { speech_seconds: 1.5 * part, speech_seconds_expected: 1.5 * speechParts.length };
      run.send({
        progress: { stage: "speech", fraction: 0.9, step: steps, steps, eta_seconds: 1, ...seconds },
      });
      const attempt = options.attempts?.[part] ?? 0;
      const place = {
        ...{ start_seconds: 1.5 * part, seconds: 1.5, last: part === speechParts.length - 1 },
        ...{ chunk: options.attempts ? 0 : part, attempt },
      };
      run.send({
        preview: { content_type: "audio/wav", data, step: part, ...place },
      });
    }
    await options.meanwhile;
    const artefacts = [];
    for (const { name } of run.request.uploads)
      artefacts.push(await run.upload(name, contentOf(name, run.request)));
    run.send({ succeeded: { artefacts, receipt: receipt(steps, steps, options.gpuMemory) } });
    run.end();
  };

/** What this peer puts into an artefact: enough bytes to test ranges with. */
export function contentOf(name: string, request: RunRequest__Output): Uint8Array {
  if (name === "manifest.json") return Buffer.from(JSON.stringify({ spec: request.spec }));
  return Buffer.from(`${name}:${"0123456789".repeat(100)}`);
}

const statusOf = (id: string, permits: number): NodeStatus => ({
  node_id: id,
  health: "NODE_HEALTH_READY",
  permits_total: permits,
  permits_free: permits,
  warm: ["toon"],
  detail: "",
});

/** What such a node says of itself. */
export const describeScripted = (id: string, permits: number): DescribeResponse => ({
  status: statusOf(id, permits),
  packs: [
    { name: "toon", version: "6.0.0", is_default: true, manifest_json: readFileSync(packFile, "utf8") },
  ],
  devices: [{ kind: "cpu", name: "scripted", memory_bytes: 0 }],
  version: "6.0.0",
});

/**
 * A peer for tests that speaks the real node protocol on a real socket and follows a script in place of a model.
 */
export class ScriptedNode {
  readonly #server = new Server(channelOptions);
  readonly #watchers = new Set<WatchCall>();
  readonly runs: ScriptedRun[] = [];
  script: Script;
  #status: NodeStatus;
  address = "";

  constructor(script: Script = playThrough(), options: { permits?: number; id?: string } = {}) {
    this.script = script;
    const permits = options.permits ?? 2;
    this.#status = statusOf(options.id ?? "scripted", permits);
    this.#server.addService(NodeService.service, this.#handlers());
  }

  #handlers(): NodeServiceHandlers {
    return {
      Describe: (_call, reply) => reply(null, { ...describeScripted("", 0), status: this.#status }),
      Run: (call) => {
        const run = new ScriptedRun(call);
        this.runs.push(run);
        if (this.#busy) {
          call.emit("error", { code: GrpcStatus.RESOURCE_EXHAUSTED, details: "busy" });
          return;
        }
        void this.script(run).catch((error: unknown) => {
          run.send({
            failed: { code: "internal", message: String(error), retryable: false, receipt: receipt(0, 1) },
          });
          run.end();
        });
      },
      Stop: (call, reply) => {
        const { job_id, fence, partial } = call.request;
        const run = this.runs.find((one) => one.request.job_id === job_id && one.request.fence === fence);
        if (run) run.partialAsked = partial;
        if (run) run.stopAsked = true;
        reply(null, { found: run !== undefined });
      },
      Watch: (call) => {
        this.#watchers.add(call);
        call.on("cancelled", () => this.#watchers.delete(call));
        call.write({ status: this.#status });
      },
    };
  }

  #busy = false;
  set busy(value: boolean) {
    this.#busy = value;
  }

  setHealth(health: NodeStatus["health"]): void {
    this.#status = { ...this.#status, health };
    for (const call of this.#watchers) call.write({ status: this.#status });
  }

  setWarm(...warm: string[]): void {
    this.#status = { ...this.#status, warm };
    for (const call of this.#watchers) call.write({ status: this.#status });
  }

  setSpeechPermits(total: number): void {
    this.#status = { ...this.#status, speech_permits_total: total, speech_permits_free: total };
    for (const call of this.#watchers) call.write({ status: this.#status });
  }

  setUsage(usage: NodeStatus["usage"]): void {
    this.#status = { ...this.#status, usage };
    for (const call of this.#watchers) call.write({ status: this.#status });
  }

  /** Starts to listen; with a port it takes an address over again. */
  async start(port = 0): Promise<string> {
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, got) =>
        error ? reject(error) : resolve(got),
      );
    });
    this.address = `127.0.0.1:${bound}`;
    return this.address;
  }

  /** Goes at once, as with kill -9. */
  kill(): void {
    this.#server.forceShutdown();
  }
}

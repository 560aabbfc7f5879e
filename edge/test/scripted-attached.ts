import { AttachService, channelOptions } from "@cartoon/protos";
import type { AttachRequest } from "@cartoon/protos/gen/AttachRequest";
import type { AttachResponse__Output } from "@cartoon/protos/gen/AttachResponse";
import {
  type ClientDuplexStream,
  credentials,
  status as GrpcStatus,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { describeScripted, playThrough, type RunCall, type Script, ScriptedRun } from "./scripted-node.ts";

export interface AttachedOptions {
  port: number | undefined;
  token: string;
  id?: string;
  permits?: number;
}

/** A node behind NAT that follows a script: it dials the edge, and what the edge calls comes over that stream. */
export class ScriptedAttached {
  readonly runs: ScriptedRun[] = [];
  readonly cancelled: number[] = [];
  script: Script;
  #client: InstanceType<typeof AttachService> | undefined;
  #stream: ClientDuplexStream<AttachRequest, AttachResponse__Output> | undefined;
  readonly #options: AttachedOptions;

  constructor(options: AttachedOptions, script: Script = playThrough()) {
    this.#options = options;
    this.script = script;
  }

  /** Dials in. Resolves with how the stream ends. */
  dial(): Promise<ServiceError | undefined> {
    const { port, token, id = "behind-nat", permits = 2 } = this.#options;
    const client = new AttachService(`127.0.0.1:${port}`, credentials.createInsecure(), channelOptions);
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const stream = client.Attach(metadata);
    this.#client = client;
    this.#stream = stream;
    const calls = new Map<number, { cancelled: boolean }>();
    stream.on("data", (message: AttachResponse__Output) => this.#receive(stream, message, calls));
    stream.write({ hello: describeScripted(id, permits) });
    return new Promise((resolve) => {
      stream.on("error", (error: ServiceError) => resolve(error));
      stream.on("end", () => resolve(undefined));
    });
  }

  #receive(
    stream: ClientDuplexStream<AttachRequest, AttachResponse__Output>,
    { call, run, stop, cancel }: AttachResponse__Output,
    calls: Map<number, { cancelled: boolean }>,
  ): void {
    if (cancel) {
      this.cancelled.push(call);
      const known = calls.get(call);
      if (known) known.cancelled = true;
    }
    if (stop) {
      const asked = this.runs.find(
        ({ request }) => request.job_id === stop.job_id && request.fence === stop.fence,
      );
      if (asked) asked.partialAsked = stop.partial;
      if (asked) asked.stopAsked = true;
      stream.write({ call, stop: { found: asked !== undefined } });
    }
    if (!run) return;
    const state = { cancelled: false };
    calls.set(call, state);
    const sink: RunCall = {
      request: run,
      get cancelled() {
        return state.cancelled;
      },
      write: (message) => stream.write({ call, run: message }),
      end: () => void stream.write({ call, end: { code: GrpcStatus.OK, details: "" } }),
      emit: (_event, { code, details }) => stream.write({ call, end: { code, details } }),
    };
    const scripted = new ScriptedRun(sink);
    this.runs.push(scripted);
    void this.script(scripted);
  }

  /** Sends anything, for tests of what the edge makes of it. */
  say(message: AttachRequest): void {
    this.#stream?.write(message);
  }

  /** The connection is gone from one moment to the next. */
  cut(): void {
    this.#stream?.on("error", () => {});
    this.#client?.close();
    this.#stream?.cancel();
  }
}

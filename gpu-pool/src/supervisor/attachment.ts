import { AttachService } from "@cartoon/protos";
import type { AttachRequest } from "@cartoon/protos/gen/AttachRequest";
import type { AttachResponse__Output } from "@cartoon/protos/gen/AttachResponse";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import {
  type ChannelCredentials,
  type ChannelOptions,
  type ClientDuplexStream,
  status as Code,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { Node } from "./node.ts";
import { serviceError } from "./refused.ts";

const BEAT_MS = 5_000;
const SILENCE_MS = 15_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
const CLOSE_MS = 2_000;

type Stream = ClientDuplexStream<AttachRequest, AttachResponse__Output>;

export interface AttachmentOptions {
  node: Node;
  /** `host:port` of one edge. */
  address: string;
  credentials: ChannelCredentials;
  channel: ChannelOptions;
  /** From `cartoon keys node`. */
  token: string;
  log: (message: string) => void;
}

/** The stream to one edge, opened again whenever it breaks. What the edge calls over it runs on this node. */
export class Attachment {
  readonly #options: AttachmentOptions;
  readonly #client: InstanceType<typeof AttachService>;
  #stream: Stream | undefined;
  #retry: Timer | undefined;
  #waitMs = FIRST_WAIT_MS;
  #closed = false;
  /** Open the stream again when it breaks. */
  isWanted = true;
  /** The last thing that was said of this edge: a trouble is told once, not at every try. */
  #told = "";

  constructor(options: AttachmentOptions) {
    this.#options = options;
    this.#client = new AttachService(options.address, options.credentials, options.channel);
    this.#open();
  }

  /** Not wanted any more, and without a stream. */
  get isOver(): boolean {
    return !this.isWanted && this.#stream === undefined;
  }

  /** Hangs up, after everything that was said has been sent, and does not come back. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const stream = this.#stream;
    if (stream) {
      const ended = new Promise<void>((resolve) => stream.once("status", () => resolve()));
      stream.end();
      const patience = setTimeout(() => stream.cancel(), CLOSE_MS);
      await ended;
      clearTimeout(patience);
    }
    this.#client.close();
  }

  #open(): void {
    const { node, token } = this.#options;
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const stream = this.#client.Attach(metadata);
    this.#stream = stream;
    const runs = new Map<number, AbortController>();
    let heardAt = Date.now();
    let over = false;
    const write = (message: AttachRequest) => {
      if (!over) stream.write(message);
    };
    write({ hello: node.describe() });
    const unsubscribe = node.pool.subscribe((status) => write({ status }));
    const beat = setInterval(() => {
      if (Date.now() - heardAt > SILENCE_MS) stream.cancel();
      else write({ status: node.pool.status() });
    }, BEAT_MS);
    stream.on("data", (message: AttachResponse__Output) => {
      heardAt = Date.now();
      this.#waitMs = FIRST_WAIT_MS;
      this.#tell("is attached");
      this.#receive(message, runs, write);
    });
    const end = (error: ServiceError | undefined) => {
      if (over) return;
      over = true;
      clearInterval(beat);
      unsubscribe();
      for (const run of runs.values()) run.abort();
      this.#lost(error);
    };
    stream.on("error", (error: ServiceError) => end(error));
    stream.on("end", () => end(undefined));
  }

  #receive(
    { call, run, stop, cancel }: AttachResponse__Output,
    runs: Map<number, AbortController>,
    write: (message: AttachRequest) => void,
  ): void {
    if (run) void this.#run(call, run, runs, write);
    if (stop) write({ call, stop: { found: this.#options.node.stop(stop) } });
    if (cancel) runs.get(call)?.abort();
  }

  async #run(
    call: number,
    request: RunRequest__Output,
    runs: Map<number, AbortController>,
    write: (message: AttachRequest) => void,
  ): Promise<void> {
    const gone = new AbortController();
    runs.set(call, gone);
    let sequence = 0;
    const emit = (event: object) => {
      if (!gone.signal.aborted) write({ call, run: { ...event, sequence: ++sequence } });
    };
    try {
      await this.#options.node.run(request, emit, gone.signal);
      write({ call, end: { code: Code.OK, details: "" } });
    } catch (error) {
      const { code, details } = serviceError(error);
      write({ call, end: { code, details } });
    } finally {
      runs.delete(call);
    }
  }

  #lost(error: ServiceError | undefined): void {
    this.#stream = undefined;
    if (this.#closed || !this.isWanted) return;
    this.#tell(lossOf(error));
    // Many nodes that lost one edge do not all come back in the same moment.
    this.#retry = setTimeout(() => this.#again(), this.#waitMs * (0.5 + Math.random()));
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
  }

  #again(): void {
    if (this.isWanted && !this.#closed) this.#open();
  }

  #tell(what: string): void {
    if (this.#told !== what) this.#options.log(`the edge ${this.#options.address} ${what}`);
    this.#told = what;
  }
}

/** Without what changes from try to try, such as the time. */
function lossOf(error: ServiceError | undefined): string {
  if (!error) return "has hung up";
  if (error.code === Code.UNAVAILABLE) return "can't be reached";
  return `does not take this node: ${Code[error.code]} ${error.details}`;
}

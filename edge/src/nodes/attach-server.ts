import { readFile } from "node:fs/promises";
import { AttachService, channelOptions } from "@cartoon/protos";
import type { AttachRequest__Output } from "@cartoon/protos/gen/AttachRequest";
import type { AttachResponse } from "@cartoon/protos/gen/AttachResponse";
import type { AttachServiceHandlers } from "@cartoon/protos/gen/AttachService";
import {
  status as Code,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { tokenOf } from "../auth/authenticate.ts";
import type { NodeDirectory } from "../dispatcher/node-directory.ts";
import type { EdgeConfig } from "../env.ts";
import { log } from "../log.ts";
import { AttachedTransport, type AttachStream, serviceError } from "./attached.ts";
import { verifyNodeToken } from "./token.ts";

const SERVICE = "cartoon.v1.AttachService";
const BEAT_MS = 5_000;
const SILENCE_MS = 15_000;
/** A node that has been away for this long is forgotten, with the failures that it had. */
const LOST_MS = 60_000;
const SHUTDOWN_MS = 2_000;
const MAX_ATTACHED = 4_096;

type Call = ServerDuplexStream<AttachRequest__Output, AttachResponse>;

export interface AttachServer {
  port: number;
  stop: () => Promise<void>;
}

export interface AttachOptions {
  config: EdgeConfig;
  nodes: NodeDirectory;
  /** Signs node tokens. */
  secret: string;
}

async function credentials(attach: NonNullable<EdgeConfig["attach"]>): Promise<ServerCredentials> {
  if (attach.cert === undefined || attach.key === undefined) return ServerCredentials.createInsecure();
  const pair = { cert_chain: await readFile(attach.cert), private_key: await readFile(attach.key) };
  const ca = attach.clientCa === undefined ? null : await readFile(attach.clientCa);
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}

/** Listens for nodes that can't be reached: they dial this edge and get their jobs over the stream they open. */
export async function startAttachServer(options: AttachOptions): Promise<AttachServer | undefined> {
  const { attach, host } = options.config;
  if (!attach) return undefined;
  const attached = new AttachedNodes(options);
  const server = new Server(channelOptions);
  server.addService(AttachService.service, {
    Attach: (call) => attached.take(call),
  } satisfies AttachServiceHandlers);
  new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" }).addToServer(server);
  const security = await credentials(attach);
  const address = `${host.includes(":") ? `[${host}]` : host}:${attach.port}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, security, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const stop = async () => {
    attached.close();
    const timer = setTimeout(() => server.forceShutdown(), SHUTDOWN_MS);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(timer);
  };
  return { port, stop };
}

/** The nodes that have dialled this edge, by token and node id. */
class AttachedNodes {
  readonly #options: AttachOptions;
  readonly #transports = new Map<string, AttachedTransport>();
  readonly #streams = new Set<AttachStream>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: AttachOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#forget(), BEAT_MS);
  }

  take(call: Call): void {
    const [header] = call.metadata.get("authorization");
    const token = tokenOf(header?.toString(), undefined) ?? "";
    const name = () => verifyNodeToken(this.#options.secret, token, Date.now());
    const owner = name();
    if (owner === undefined) {
      const details = "a node token is needed in metadata `authorization`: `cartoon keys node <name>`";
      call.emit("error", serviceError(Code.UNAUTHENTICATED, details));
      return;
    }
    this.#follow(call, owner, () => name() !== undefined);
  }

  #follow(call: Call, owner: string, isValid: () => boolean): void {
    let transport: AttachedTransport | undefined;
    let heardAt = Date.now();
    let paused = false;
    let over = false;
    const end = (error: ServiceError | undefined) => {
      if (over) return;
      over = true;
      clearInterval(beat);
      this.#streams.delete(stream);
      transport?.lost(stream, error);
    };
    const stream: AttachStream = {
      write: (message) => void (over || call.write(message)),
      pause: () => {
        paused = true;
        call.pause();
      },
      resume: () => {
        if (!paused) return;
        paused = false;
        heardAt = Date.now();
        call.resume();
      },
      hangUp: (error) => {
        if (over) return;
        end(error);
        call.emit("error", error);
      },
    };
    this.#streams.add(stream);
    const beat = setInterval(() => {
      if (!isValid()) stream.hangUp(serviceError(Code.UNAUTHENTICATED, "the node token has expired"));
      else if (!paused && Date.now() - heardAt > SILENCE_MS)
        stream.hangUp(serviceError(Code.DEADLINE_EXCEEDED, "nothing was heard from the node"));
      else stream.write({});
    }, BEAT_MS);
    call.on("data", (message: AttachRequest__Output) => {
      heardAt = Date.now();
      if (transport) return transport.receive(stream, message);
      const { hello } = message;
      const id = hello?.status?.node_id;
      if (!hello || !id) {
        const details = "the first message is not `hello` with the node's id";
        return stream.hangUp(serviceError(Code.INVALID_ARGUMENT, details));
      }
      transport = this.#transportOf(owner, id);
      if (!transport) return stream.hangUp(serviceError(Code.RESOURCE_EXHAUSTED, "too many nodes"));
      log.info("a node has dialled in", { address: transport.address });
      transport.open(stream, hello);
    });
    call.on("cancelled", () => end(serviceError(Code.CANCELLED, "the node is gone")));
    call.on("error", (error: Error) =>
      end("code" in error ? (error as ServiceError) : serviceError(Code.UNKNOWN, error.message)),
    );
    call.on("end", () => {
      end(undefined);
      call.end();
    });
  }

  #transportOf(owner: string, id: string): AttachedTransport | undefined {
    const address = `attached:${owner}/${id}`;
    const known = this.#transports.get(address);
    if (known) return known;
    if (this.#transports.size >= MAX_ATTACHED) return undefined;
    const transport = new AttachedTransport(address);
    this.#transports.set(address, transport);
    this.#options.nodes.attach(transport);
    return transport;
  }

  #forget(): void {
    for (const [address, transport] of this.#transports) {
      if (transport.isAttached || Date.now() - transport.seenAt < LOST_MS) continue;
      if (this.#options.nodes.detach(address)) this.#transports.delete(address);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    const error = serviceError(Code.UNAVAILABLE, "the edge is going down");
    for (const stream of this.#streams) stream.hangUp(error);
  }
}

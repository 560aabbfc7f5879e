import { connect, type Socket } from "node:net";

export interface RawAnswer {
  status: number;
  body: string;
}

/**
 * One keep-alive HTTP/1.1 connection, one request at a time. It does as little as a client can, so that on few
 * cores the server is measured and not the one who measures.
 */
export class HttpClient {
  readonly #socket: Socket;
  readonly #host: string;
  #buffer: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (answer: RawAnswer) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    const lost = () => this.#waiting?.reject(new Error("the connection was closed"));
    socket.on("close", lost);
    socket.on("error", lost);
  }

  static connect(url: string): Promise<HttpClient> {
    const { hostname, port, host } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) }, () =>
        resolve(new HttpClient(socket, host)),
      );
      socket.once("error", reject);
    });
  }

  /** @param headers complete lines, each with its line break */
  send(method: string, path: string, headers: string, body = ""): Promise<RawAnswer> {
    const length = body === "" ? "" : `content-length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${headers}${length}\r\n${body}`);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const end = this.#buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#buffer.toString("latin1", 0, end);
    const body = bodyOf(head, this.#buffer.subarray(end + 4));
    if (body === undefined) return;
    this.#buffer = Buffer.alloc(0);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

/** The body once all of it is there. */
function bodyOf(head: string, rest: Buffer): string | undefined {
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length !== undefined) return rest.length < Number(length) ? undefined : rest.toString("utf8");
  if (!rest.toString("latin1").endsWith("0\r\n\r\n")) return undefined;
  return rest
    .toString("utf8")
    .split("\r\n")
    .filter((_, i) => i % 2 === 1)
    .join("");
}

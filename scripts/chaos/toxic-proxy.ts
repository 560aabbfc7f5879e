import { connect, createServer, type Server, type Socket } from "node:net";

/** A port, or undefined while nobody listens. */
export type Target = () => number | undefined;

/**
 * A TCP proxy on loopback that can misbehave: cut connections, hold everything back, delay. With several targets it
 * tries them in turn, as a load balancer does.
 */
export class ToxicProxy {
  readonly #targets: readonly Target[];
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #next = 0;
  #held = false;
  #release: (() => void)[] = [];
  delayMs = 0;
  port = 0;

  private constructor(targets: readonly Target[]) {
    this.#targets = targets;
    this.#server = createServer((client) => this.#open(client, this.#targets.length));
  }

  static async start(targets: readonly Target[]): Promise<ToxicProxy> {
    const proxy = new ToxicProxy(targets);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    const address = proxy.#server.address();
    proxy.port = typeof address === "object" && address ? address.port : 0;
    return proxy;
  }

  /** Ends every open connection at once; new ones are taken. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Holds all bytes back, as a network does that swallows packets, until `heal`. */
  hold(): void {
    this.#held = true;
  }

  /** Lets everything flow again. */
  heal(): void {
    this.#held = false;
    this.delayMs = 0;
    for (const release of this.#release.splice(0)) release();
  }

  stop(): void {
    this.heal();
    this.#server.close();
    this.cut();
  }

  #open(client: Socket, triesLeft: number): void {
    const port = this.#targets[this.#next++ % this.#targets.length]?.();
    if (port === undefined) {
      if (triesLeft > 1) this.#open(client, triesLeft - 1);
      else client.destroy();
      return;
    }
    const server = connect({ host: "127.0.0.1", port });
    client.on("error", () => client.destroy());
    server.once("error", () => {
      // Nobody listens there: the next one may.
      if (!connected && triesLeft > 1 && !client.destroyed) this.#open(client, triesLeft - 1);
      else client.destroy();
    });
    let connected = false;
    server.once("connect", () => {
      connected = true;
      this.#join(client, server);
    });
  }

  #join(client: Socket, server: Socket): void {
    const pair: [Socket, Socket] = [client, server];
    this.#pairs.add(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      let flow = Promise.resolve();
      from.on("data", (chunk) => {
        flow = flow.then(() => this.#pass()).then(() => void (to.destroyed || to.write(chunk)));
      });
      from.on("end", () => void flow.then(() => to.end()));
      from.on("close", () => {
        this.#pairs.delete(pair);
        void flow.then(() => to.destroy());
      });
      from.on("error", () => from.destroy());
    }
  }

  async #pass(): Promise<void> {
    if (this.delayMs > 0) await Bun.sleep(this.delayMs);
    if (this.#held) await new Promise<void>((resolve) => this.#release.push(resolve));
  }
}

import { connect, createServer } from "node:net";

/** A port of the loopback interface that leads to another one, which may change. */
export interface Relay {
  port: number;
  /** Where new connections go from now on. */
  target: number;
  stop(): void;
}

/** Gives a server that starts again on other ports one lasting address. */
export async function startRelay(): Promise<Relay> {
  const server = createServer((client) => {
    const onward = connect({ host: "127.0.0.1", port: relay.target });
    client.pipe(onward).pipe(client);
    client.on("error", () => onward.destroy()).on("close", () => onward.destroy());
    onward.on("error", () => client.destroy()).on("close", () => client.destroy());
  });
  const relay: Relay = { port: 0, target: 0, stop: () => server.close() };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (typeof address === "object" && address) relay.port = address.port;
  return relay;
}

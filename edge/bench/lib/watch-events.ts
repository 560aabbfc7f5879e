import { connect } from "node:net";

export interface Seen {
  type: string;
  /** From the time that the event carries to its arrival here, on the same clock. */
  lagMs: number;
}

/** Follows a job's events over a bare connection until the last one. `open` resolves with the first. */
export function watchEvents(url: string, id: string, headers: string) {
  const { hostname, port, host } = new URL(url);
  const seen: Seen[] = [];
  let opened = () => {};
  const open = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const done = new Promise<Seen[]>((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.write(`GET /v1/renders/${id}/events HTTP/1.1\r\nhost: ${host}\r\n${headers}\r\n`);
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const now = Date.now();
      text += chunk;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const type = /^event: (\w+)$/m.exec(block)?.[1];
        if (type === undefined) continue;
        opened();
        const at = /"at":"([^"]+)"/.exec(block)?.[1];
        seen.push({ type, lagMs: now - Date.parse(at ?? "") });
        if (type !== "succeeded" && type !== "failed") continue;
        socket.destroy();
        resolve(seen);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`the stream ended early: ${text}`)));
  });
  return { open, done };
}

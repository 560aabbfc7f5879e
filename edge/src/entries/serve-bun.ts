import type { Serve } from "../main.ts";

interface BunServer {
  port: number;
  requestIP(request: Request): { address: string } | null;
  timeout(request: Request, seconds: number): void;
  stop(closeActive: boolean): Promise<void>;
}
interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    maxRequestBodySize: number;
    fetch: (request: Request, server: BunServer) => Response | Promise<Response>;
  }): BunServer;
}

const IDLE_SECONDS = 30;
/** Above every limit of the application, which answers with a problem document. */
const MAX_BODY_BYTES = 1024 ** 3;

/** Bun's HTTP server. Quiet connections are closed after a while, but not streams that ask to be held open. */
export const serveBun: Serve = async (fetch, { host, port }) => {
  const { Bun: runtime } = globalThis as unknown as { Bun: BunRuntime };
  const server = runtime.serve({
    hostname: host,
    port,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: MAX_BODY_BYTES,
    fetch: (request, self) =>
      fetch(request, {
        remoteAddress: self.requestIP(request)?.address,
        holdOpen: () => self.timeout(request, 0),
      }),
  });
  return { port: server.port, stop: () => server.stop(true) };
};

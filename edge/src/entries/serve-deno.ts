import type { Serve } from "../main.ts";

interface DenoServer {
  addr: { port: number };
  shutdown(): Promise<void>;
}
interface DenoRuntime {
  serve(
    options: { hostname: string; port: number; onListen: () => void; signal: AbortSignal },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>,
  ): DenoServer;
}

const SHUTDOWN_MS = 2_000;

/** Deno's HTTP server. */
export const serveDeno: Serve = async (fetch, { host, port }) => {
  const { Deno: runtime } = globalThis as unknown as { Deno: DenoRuntime };
  const cut = new AbortController();
  const server = runtime.serve(
    { hostname: host, port, onListen: () => {}, signal: cut.signal },
    (request, info) => fetch(request, { remoteAddress: info.remoteAddr.hostname }),
  );
  const stop = async () => {
    // Clients that keep their connection would hold the shutdown up.
    const timer = setTimeout(() => cut.abort(), SHUTDOWN_MS);
    await server.shutdown().catch(() => {});
    clearTimeout(timer);
  };
  return { port: server.addr.port, stop };
};

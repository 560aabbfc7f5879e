import type { JobEvent } from "@cartoon/db";

const encoder = new TextEncoder();
const KEEPALIVE = encoder.encode(": keepalive\n\n");

/** One event in the form of server-sent events; the sequence number is the id that a client resumes from. */
export const formatEvent = (id: number, type: string, data: unknown) =>
  encoder.encode(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);

export interface SseOptions {
  /** Ends the stream when the process stops. */
  stopping: AbortSignal;
  /** Turns an event into what goes over the wire; undefined leaves it out. */
  format: (event: JobEvent) => Uint8Array | undefined;
  /** Ms that a client should wait before it reconnects. */
  retryMs?: number;
}

/**
 * A response of server-sent events. `source` is given the signal that fires when the client has gone, and yields
 * undefined whenever it is time for a sign of life.
 */
export function sseResponse(
  source: (signal: AbortSignal) => AsyncGenerator<JobEvent | undefined>,
  options: SseOptions,
): Response {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, options.stopping]);
  const events = source(signal);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(`retry: ${options.retryMs ?? 2000}\n\n`)),
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await events.next();
          if (done) return controller.close();
          const chunk = value === undefined ? KEEPALIVE : options.format(value);
          if (chunk) return controller.enqueue(chunk);
        }
      } catch (error) {
        controller.error(error);
      }
    },
    cancel: () => gone.abort(),
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

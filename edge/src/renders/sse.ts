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
  return eventStream(options.stopping, async function* (signal) {
    yield encoder.encode(`retry: ${options.retryMs ?? 2000}\n\n`);
    for await (const event of source(signal)) {
      const chunk = event === undefined ? KEEPALIVE : options.format(event);
      if (chunk) yield chunk;
    }
  });
}

/** A response of server-sent events from ready-made frames; the source's signal fires when the client has gone. */
export function eventStream(
  stopping: AbortSignal,
  frames: (signal: AbortSignal) => AsyncGenerator<string | Uint8Array>,
): Response {
  const gone = new AbortController();
  const source = frames(AbortSignal.any([gone.signal, stopping]));
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
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

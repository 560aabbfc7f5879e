const encoder = new TextEncoder();

/** A response of server-sent events from ready-made frames; the source's signal fires when the client has gone. */
export function eventStream(
  stopping: AbortSignal,
  frames: (signal: AbortSignal) => AsyncGenerator<string>,
): Response {
  const gone = new AbortController();
  const source = frames(AbortSignal.any([gone.signal, stopping]));
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
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

import { eventsAfter, getJob, type Job, type JobEvent } from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../../errors/table.ts";
import { type App, json, problems } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { followEvents } from "../../renders/live.ts";
import { formatEvent, sseResponse } from "../../renders/sse.ts";
import type { Services } from "../../services.ts";
import { IdParam } from "./schema.ts";

const KEEPALIVE_MS = 15_000;
const tags = ["Renders"];
const middleware = requireScope("read");

const Sequence = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const EventsRequest = {
  params: IdParam,
  query: z.object({ after: Sequence.optional() }),
  headers: z.object({ "last-event-id": z.string().max(32).optional() }),
};

const events = createRoute({
  method: "get",
  path: "/v1/renders/{id}/events",
  operationId: "watchRender",
  summary: "Every event of a render as server-sent events, past ones first; ends after the last one",
  tags,
  middleware,
  request: EventsRequest,
  responses: { 200: { description: "text/event-stream" }, ...problems },
});

const EventView = z.object({
  seq: z.int(),
  type: z.string(),
  at: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()),
});
const logs = createRoute({
  method: "get",
  path: "/v1/renders/{id}/logs",
  operationId: "readRenderLog",
  summary: "The log of a render: what its nodes said and what became of it",
  tags,
  middleware,
  request: { params: IdParam, query: z.object({ after: Sequence.default(0) }) },
  responses: { 200: json(z.object({ events: z.array(EventView) }), "Up to 1000 events"), ...problems },
});

const LOGGED = new Set(["progress", "preview"]);

const formatted = new WeakMap<JobEvent, Uint8Array>();

/** An event as it goes over the wire; made once, however many watch. */
function format(event: JobEvent): Uint8Array {
  const { seq, type, at, data } = event;
  const known = formatted.get(event);
  if (known) return known;
  const bytes = formatEvent(seq, type, { seq, type, at: new Date(at).toISOString(), ...data });
  formatted.set(event, bytes);
  return bytes;
}

/**
 * A job's events as they happen, from those after `last` on.
 * @throws ApiError `invalid_request` when `last` is no sequence number
 */
export function eventsOf(services: Services, job: Job, last: string | number | undefined): Response {
  const { db, signals, stopping } = services;
  const after = Sequence.safeParse(last ?? 0);
  if (!after.success) throw new ApiError("invalid_request", "Last-Event-ID is not a number of ours");
  const options = { afterSeq: after.data, idleMs: KEEPALIVE_MS };
  const source = (signal: AbortSignal) => followEvents(db, signals, job, { ...options, signal });
  return sseResponse(source, { stopping, format });
}

/** Watching a render live, and reading its log. */
export function registerEvents(app: App, services: Services): void {
  const { db } = services;

  app.openapi(events, async (c) => {
    const { tenant } = principalOf(c);
    const job = await getJob(db, { tenant }, c.req.valid("param").id);
    const last = c.req.valid("header")["last-event-id"] ?? c.req.valid("query").after;
    c.env?.holdOpen?.();
    return eventsOf(services, job, last);
  });

  app.openapi(logs, async (c) => {
    const { tenant } = principalOf(c);
    const job = await getJob(db, { tenant }, c.req.valid("param").id);
    const found = await eventsAfter(db, job.id, c.req.valid("query").after);
    const shown = found
      .filter((event) => !LOGGED.has(event.type))
      .map(({ seq, type, at, data }) => ({ seq, type, at: new Date(at).toISOString(), data }));
    return c.json({ events: shown }, 200);
  });
}

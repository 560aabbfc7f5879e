import { getStoryboard, listStoryboards, retry } from "@cartoon/db";
import { isTerminal, JOB_STATUSES } from "@cartoon/protos";
import { createRoute, z } from "@hono/zod-openapi";
import { type App, json, problems } from "../../hono.ts";
import { emptyIsNone, jsonBody } from "../../middleware/json-body.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { parseIdempotencyKey } from "../../renders/idempotency-key.ts";
import { linksFor } from "../../renders/links.ts";
import { waitForJob } from "../../renders/live.ts";
import type { Services } from "../../services.ts";
import { StoryboardRequest } from "../../storyboards/request.ts";
import { submitStoryboard } from "../../storyboards/submit.ts";
import { toStoryboard } from "../../storyboards/view.ts";
import { CancelBody, cancelAndWait, deleteWithResults } from "./control.ts";
import { EventsRequest, eventsOf } from "./events.ts";
import { IdempotencyHeader, IdParam, WaitQuery } from "./schema.ts";
import { StoryboardViewSchema } from "./storyboards-schema.ts";

const tags = ["Storyboards"];
const View = StoryboardViewSchema;

const create = createRoute({
  method: "post",
  path: "/v1/storyboards",
  operationId: "createStoryboard",
  summary: "Submit a storyboard: a render for each shot, then one clip of them all",
  tags,
  middleware: [requireScope("render"), jsonBody] as const,
  request: {
    headers: IdempotencyHeader,
    body: {
      required: true,
      content: { "application/json": { schema: StoryboardRequest.openapi("StoryboardRequest") } },
    },
  },
  responses: {
    202: json(View, "Accepted, all of it; durable"),
    200: json(View, "An earlier request with the same idempotency key made it"),
    ...problems,
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/storyboards",
  operationId: "listStoryboards",
  summary: "List storyboards, newest first; results are in each one's own answer",
  tags,
  middleware: requireScope("read"),
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(100).default(20),
      cursor: z.string().max(512).optional(),
      status: z.enum(JOB_STATUSES).optional(),
    }),
  },
  responses: {
    200: json(z.object({ storyboards: z.array(View), next_cursor: z.string().nullable() }), "A page"),
    ...problems,
  },
});

const get = createRoute({
  method: "get",
  path: "/v1/storyboards/{id}",
  operationId: "getStoryboard",
  summary: "Read a storyboard; with `wait` it answers when it has ended or the time is up",
  tags,
  middleware: requireScope("read"),
  request: { params: IdParam, query: WaitQuery },
  responses: { 200: json(View, "The storyboard, with URLs signed just now"), ...problems },
});

const events = createRoute({
  method: "get",
  path: "/v1/storyboards/{id}/events",
  operationId: "watchStoryboard",
  summary:
    "Every event of a storyboard as server-sent events: `shot` for each change of a shot, then the join",
  tags,
  middleware: requireScope("read"),
  request: EventsRequest,
  responses: { 200: { description: "text/event-stream" }, ...problems },
});

const cancelRoute = createRoute({
  method: "post",
  path: "/v1/storyboards/{id}/cancel",
  operationId: "cancelStoryboard",
  summary: "Cancel a storyboard with every shot that has not ended",
  tags,
  middleware: [requireScope("cancel"), emptyIsNone] as const,
  request: {
    params: IdParam,
    query: WaitQuery,
    body: { required: false, content: { "application/json": { schema: CancelBody } } },
  },
  responses: { 200: json(View, "It has ended"), 202: json(View, "Its shots are stopping"), ...problems },
});

const retryRoute = createRoute({
  method: "post",
  path: "/v1/storyboards/{id}/retry",
  operationId: "retryStoryboard",
  summary: "Make a failed or canceled storyboard after all; shots that have succeeded are kept",
  tags,
  middleware: [requireScope("render")] as const,
  request: { params: IdParam },
  responses: { 202: json(View, "Queued again"), ...problems },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/storyboards/{id}",
  operationId: "deleteStoryboard",
  summary: "Delete an ended storyboard with its shots and all results",
  tags,
  middleware: requireScope("cancel"),
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems },
});

/** Storyboards: several shots, one clip. */
export function registerStoryboards(app: App, services: Services): void {
  const { db, signals, stopping } = services;
  const show = async (tenant: string, id: string, origin: string) =>
    toStoryboard(await getStoryboard(db, { tenant }, id), linksFor(services, origin));

  app.openapi(create, async (c) => {
    const principal = principalOf(c);
    const idempotencyKey = parseIdempotencyKey(c.req.valid("header")["idempotency-key"]);
    const { job, created } = await submitStoryboard(services, principal, c.req.valid("json"), {
      idempotencyKey,
    });
    c.header("location", `/v1/storyboards/${job.id}`);
    return c.json(await show(principal.tenant, job.id, c.get("origin")), created ? 202 : 200);
  });

  app.openapi(list, async (c) => {
    const page = await listStoryboards(db, { tenant: principalOf(c).tenant }, c.req.valid("query"));
    const links = linksFor(services, c.get("origin"));
    const storyboards = await Promise.all(page.storyboards.map((one) => toStoryboard(one, links)));
    c.header("cache-control", "no-store");
    return c.json({ storyboards, next_cursor: page.nextCursor }, 200);
  });

  app.openapi(get, async (c) => {
    const { tenant } = principalOf(c);
    const { board } = await getStoryboard(db, { tenant }, c.req.valid("param").id);
    const { wait = 0 } = c.req.valid("query");
    if (wait > 0) {
      c.env?.holdOpen?.();
      await waitForJob(db, signals, board, wait * 1000, stopping);
    }
    c.header("cache-control", "no-store");
    return c.json(await show(tenant, board.id, c.get("origin")), 200);
  });

  app.openapi(events, async (c) => {
    const { board } = await getStoryboard(db, { tenant: principalOf(c).tenant }, c.req.valid("param").id);
    const last = c.req.valid("header")["last-event-id"] ?? c.req.valid("query").after;
    c.env?.holdOpen?.();
    return eventsOf(services, board, last);
  });

  app.openapi(cancelRoute, async (c) => {
    const { tenant } = principalOf(c);
    const { board } = await getStoryboard(db, { tenant }, c.req.valid("param").id);
    const { wait = 0 } = c.req.valid("query");
    if (wait > 0) c.env?.holdOpen?.();
    const { status } = await cancelAndWait(services, tenant, board.id, c.req.valid("json"), wait);
    return c.json(await show(tenant, board.id, c.get("origin")), isTerminal(status) ? 200 : 202);
  });

  app.openapi(retryRoute, async (c) => {
    const { tenant } = principalOf(c);
    const { board } = await getStoryboard(db, { tenant }, c.req.valid("param").id);
    await retry(db, { tenant }, board.id);
    return c.json(await show(tenant, board.id, c.get("origin")), 202);
  });

  app.openapi(remove, async (c) => {
    const { tenant } = principalOf(c);
    const { board } = await getStoryboard(db, { tenant }, c.req.valid("param").id);
    await deleteWithResults(services, tenant, board.id);
    return c.body(null, 204);
  });
}

import { getJob, listJobs } from "@cartoon/db";
import { JOB_STATUSES } from "@cartoon/protos";
import { createRoute, z } from "@hono/zod-openapi";
import { type App, json, problems } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { linksFor } from "../../renders/links.ts";
import { waitForJob } from "../../renders/live.ts";
import { toRender } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { IdParam, RenderView, WaitQuery } from "./schema.ts";

const tags = ["Renders"];
const middleware = requireScope("read");

const get = createRoute({
  method: "get",
  path: "/v1/renders/{id}",
  operationId: "getRender",
  summary: "Read a render; with `wait` it answers when the render has ended or the time is up",
  tags,
  middleware,
  request: { params: IdParam, query: WaitQuery },
  responses: { 200: json(RenderView, "The render, with URLs signed just now"), ...problems },
});

const list = createRoute({
  method: "get",
  path: "/v1/renders",
  operationId: "listRenders",
  summary: "List renders, newest first",
  tags,
  middleware,
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(200).default(50),
      cursor: z.string().max(512).optional(),
      status: z.enum(JOB_STATUSES).optional(),
    }),
  },
  responses: {
    200: json(z.object({ renders: z.array(RenderView), next_cursor: z.string().nullable() }), "A page"),
    ...problems,
  },
});

/** Reading one render and the list of renders. */
export function registerRead(app: App, services: Services): void {
  const { db, signals } = services;

  app.openapi(get, async (c) => {
    const { tenant } = principalOf(c);
    const found = await getJob(db, { tenant }, c.req.valid("param").id);
    const { wait = 0 } = c.req.valid("query");
    if (wait > 0) c.env?.holdOpen?.();
    const job = wait > 0 ? await waitForJob(db, signals, found, wait * 1000, services.stopping) : found;
    c.header("cache-control", "no-store");
    return c.json(await toRender(job, linksFor(services, c.get("origin"))), 200);
  });

  app.openapi(list, async (c) => {
    const { tenant } = principalOf(c);
    const page = await listJobs(db, { tenant }, c.req.valid("query"));
    const links = linksFor(services, c.get("origin"));
    const renders = await Promise.all(page.jobs.map((job) => toRender(job, links)));
    c.header("cache-control", "no-store");
    return c.json({ renders, next_cursor: page.nextCursor }, 200);
  });
}

import { cancel, deleteJob, getJob, type Job, retry } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import { createRoute, z } from "@hono/zod-openapi";
import { type App, json, problems } from "../../hono.ts";
import { emptyIsNone } from "../../middleware/json-body.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { linksFor } from "../../renders/links.ts";
import { waitForJob } from "../../renders/live.ts";
import { toRender } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { jobPrefix } from "../../store/key.ts";
import { IdParam, RenderView, WaitQuery } from "./schema.ts";

const tags = ["Renders"];

export const CancelBody = z
  .strictObject({
    partial: z.boolean().optional().openapi({
      description: "Make a rough clip.mp4 and poster.png of the frames as they stand; they are the `results`",
    }),
  })
  .openapi("Cancel");

const cancelRoute = createRoute({
  method: "post",
  path: "/v1/renders/{id}/cancel",
  operationId: "cancelRender",
  summary:
    "Cancel a render; with `wait` the answer carries the receipt, with `partial` the clip as far as it got",
  tags,
  middleware: [requireScope("cancel"), emptyIsNone] as const,
  request: {
    params: IdParam,
    query: WaitQuery,
    body: { required: false, content: { "application/json": { schema: CancelBody } } },
  },
  responses: {
    200: json(RenderView, "It has ended"),
    202: json(RenderView, "It will stop after the present step"),
    ...problems,
  },
});

const retryRoute = createRoute({
  method: "post",
  path: "/v1/renders/{id}/retry",
  operationId: "retryRender",
  summary: "Put a failed, canceled or timed-out render back into the queue",
  tags,
  middleware: [requireScope("render")] as const,
  request: { params: IdParam },
  responses: { 202: json(RenderView, "Queued again"), ...problems },
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/v1/renders/{id}",
  operationId: "deleteRender",
  summary: "Delete an ended render with its results and its log",
  tags,
  middleware: requireScope("cancel"),
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems },
});

/** Deletes an ended job and what it has in the store, a storyboard with its shots. */
export async function deleteWithResults(
  { db, store }: Pick<Services, "db" | "store">,
  tenant: string,
  id: string,
): Promise<void> {
  const { jobId, shots = [] } = await deleteJob(db, { tenant }, id);
  for (const one of [jobId, ...shots]) await store.deletePrefix(jobPrefix(one));
}

/** Asks a job to stop, a storyboard with its shots, and waits up to `waitSeconds` until it has. @returns the job as it is then */
export async function cancelAndWait(
  { db, signals, stopping }: Pick<Services, "db" | "signals" | "stopping">,
  tenant: string,
  id: string,
  { partial = false }: { partial?: boolean | undefined } = {},
  waitSeconds = 0,
): Promise<Job> {
  await cancel(db, { tenant }, id, { partial });
  return waitForJob(db, signals, await getJob(db, { tenant }, id), waitSeconds * 1000, stopping);
}

/** Cancelling, retrying and deleting. */
export function registerControl(app: App, services: Services): void {
  const { db } = services;

  app.openapi(cancelRoute, async (c) => {
    const { tenant } = principalOf(c);
    const { wait = 0 } = c.req.valid("query");
    if (wait > 0) c.env?.holdOpen?.();
    const job = await cancelAndWait(services, tenant, c.req.valid("param").id, c.req.valid("json"), wait);
    return c.json(
      await toRender(job, linksFor(services, c.get("origin"))),
      isTerminal(job.status) ? 200 : 202,
    );
  });

  app.openapi(retryRoute, async (c) => {
    const job = await retry(db, { tenant: principalOf(c).tenant }, c.req.valid("param").id);
    return c.json(await toRender(job, linksFor(services, c.get("origin"))), 202);
  });

  app.openapi(deleteRoute, async (c) => {
    await deleteWithResults(services, principalOf(c).tenant, c.req.valid("param").id);
    return c.body(null, 204);
  });
}

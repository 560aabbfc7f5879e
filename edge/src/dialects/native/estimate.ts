import { estimateJob, estimateNew, getJob, type QueueEstimate } from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import { type App, json, problems } from "../../hono.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { buildSpec } from "../../renders/build-spec.ts";
import { castOf } from "../../renders/cast.ts";
import { RenderRequest } from "../../renders/request.ts";
import { workOf } from "../../renders/work.ts";
import type { Services } from "../../services.ts";
import { IdParam } from "./schema.ts";

const Estimate = z
  .object({
    position: z.int(),
    starts_in_seconds: z.number().nullable(),
    finishes_in_seconds: z.number().nullable(),
    device_seconds: z.number().nullable(),
    permits: z.int(),
    vram_bytes: z.int().nullable().openapi({
      description:
        "Most GPU memory that the renders of the most similar size had in use; null while none ran on a GPU",
    }),
  })
  .openapi("Estimate");

const tags = ["Renders"];
const fresh = createRoute({
  method: "post",
  path: "/v1/estimate",
  operationId: "estimateRender",
  summary: "What a render would take, going by measured history; nothing is submitted",
  tags,
  middleware: [requireScope("read"), jsonBody] as const,
  request: { body: { required: true, content: { "application/json": { schema: RenderRequest } } } },
  responses: { 200: json(Estimate, "The estimate; null where nothing was measured yet"), ...problems },
});

const existing = createRoute({
  method: "get",
  path: "/v1/renders/{id}/estimate",
  operationId: "estimateQueuedRender",
  summary: "Where a render stands in the queue, and when it is likely to be done",
  tags,
  middleware: requireScope("read"),
  request: { params: IdParam },
  responses: { 200: json(Estimate, "The estimate"), ...problems },
});

const toEstimate = (estimate: QueueEstimate, work: number, permits: number) => ({
  position: estimate.position,
  starts_in_seconds: estimate.startsInSeconds,
  finishes_in_seconds: estimate.finishesInSeconds,
  device_seconds: estimate.secondsPerWork === null ? null : estimate.secondsPerWork * work,
  permits,
  vram_bytes: estimate.gpuMemoryBytes,
});

/** Estimates before and after submission. */
export function registerEstimate(app: App, services: Services): void {
  const { db, nodes, catalog } = services;

  app.openapi(fresh, async (c) => {
    const request = c.req.valid("json");
    const cast = await castOf(services, principalOf(c).tenant, request);
    const { spec } = buildSpec(request, catalog.pack(request.pack ?? ""), cast);
    const job = { pack: spec.pack, work: workOf(spec), priority: request.priority };
    return c.json(toEstimate(await estimateNew(db, job, nodes.permits), job.work, nodes.permits), 200);
  });

  app.openapi(existing, async (c) => {
    const reader = { tenant: principalOf(c).tenant };
    const job = await getJob(db, reader, c.req.valid("param").id);
    const estimate = await estimateJob(db, reader, job.id, nodes.permits);
    return c.json(toEstimate(estimate, job.work, nodes.permits), 200);
  });
}

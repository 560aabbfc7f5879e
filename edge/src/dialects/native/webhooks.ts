import {
  createWebhook,
  deleteWebhook,
  getJob,
  listDeliveries,
  listWebhooks,
  replayDelivery,
  type Webhook,
} from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import { type App, json, problems } from "../../hono.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { checkWebhookUrl, WebhookRequest } from "../../renders/request.ts";
import type { Services } from "../../services.ts";
import { IdParam } from "./schema.ts";

const tags = ["Webhooks"];
const WebhookView = z
  .object({
    id: z.string(),
    url: z.string(),
    events: z.array(z.string()),
    enabled: z.boolean(),
    created_at: z.iso.datetime(),
  })
  .openapi("Webhook");
const DeliveryView = z
  .object({
    id: z.string(),
    render_id: z.string(),
    url: z.string(),
    event: z.string(),
    status: z.enum(["pending", "delivered", "failed"]),
    attempts: z.array(
      z.object({
        attempt: z.int(),
        at: z.iso.datetime(),
        status_code: z.int().nullable(),
        milliseconds: z.int(),
        error: z.string().nullable(),
      }),
    ),
    next_at: z.iso.datetime().nullable(),
  })
  .openapi("Delivery");

const create = createRoute({
  method: "post",
  path: "/v1/webhooks",
  summary: "Be told of every render from now on; the secret is shown this once",
  tags,
  middleware: [requireScope("render"), jsonBody] as const,
  request: { body: { required: true, content: { "application/json": { schema: WebhookRequest } } } },
  responses: { 201: json(WebhookView.extend({ secret: z.string() }), "Made"), ...problems },
});
const list = createRoute({
  method: "get",
  path: "/v1/webhooks",
  summary: "List webhooks",
  tags,
  middleware: requireScope("read"),
  responses: { 200: json(z.object({ webhooks: z.array(WebhookView) }), "All of them"), ...problems },
});
const remove = createRoute({
  method: "delete",
  path: "/v1/webhooks/{id}",
  summary: "Delete a webhook; renders that are under way still tell it",
  tags,
  middleware: requireScope("render"),
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems },
});
const deliveries = createRoute({
  method: "get",
  path: "/v1/webhooks/deliveries",
  summary: "The delivery log, newest first",
  tags,
  middleware: requireScope("read"),
  request: {
    query: z.object({
      render_id: z.string().optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
  },
  responses: { 200: json(z.object({ deliveries: z.array(DeliveryView) }), "A page"), ...problems },
});
const replay = createRoute({
  method: "post",
  path: "/v1/webhooks/deliveries/{id}/replay",
  summary: "Send a delivery once more",
  tags,
  middleware: requireScope("render"),
  request: { params: IdParam },
  responses: { 202: { description: "It will be sent" }, ...problems },
});

const iso = (ms: number) => new Date(ms).toISOString();
const toView = ({ id, url, events, enabled, createdAt }: Webhook) => ({
  id,
  url,
  events,
  enabled,
  created_at: iso(createdAt),
});

/** Standing webhooks, the delivery log, and replay. */
export function registerWebhooks(app: App, services: Services): void {
  const { db } = services;

  app.openapi(create, async (c) => {
    const body = c.req.valid("json");
    checkWebhookUrl(body.url, services.config.fetchAllow, "#/url");
    const { webhook, secret } = await createWebhook(db, principalOf(c).tenant, body);
    return c.json({ ...toView(webhook), secret }, 201);
  });

  app.openapi(list, async (c) => {
    const webhooks = await listWebhooks(db, principalOf(c).tenant);
    return c.json({ webhooks: webhooks.map(toView) }, 200);
  });

  app.openapi(remove, async (c) => {
    await deleteWebhook(db, principalOf(c).tenant, c.req.valid("param").id);
    return c.body(null, 204);
  });

  app.openapi(deliveries, async (c) => {
    const { tenant } = principalOf(c);
    const { render_id: renderId, limit } = c.req.valid("query");
    const jobId = renderId === undefined ? undefined : (await getJob(db, { tenant }, renderId)).id;
    const found = await listDeliveries(db, tenant, { jobId, limit });
    const shown = found.map((delivery) => ({
      id: delivery.id,
      render_id: delivery.jobId,
      url: delivery.url,
      event: delivery.event,
      status: delivery.status,
      attempts: delivery.log.map(({ attempt, at, statusCode, milliseconds, error }) => ({
        attempt,
        at: iso(at),
        status_code: statusCode,
        milliseconds,
        error,
      })),
      next_at: delivery.status === "pending" ? iso(delivery.nextAt) : null,
    }));
    return c.json({ deliveries: shown }, 200);
  });

  app.openapi(replay, async (c) => {
    await replayDelivery(db, principalOf(c).tenant, c.req.valid("param").id);
    return c.body(null, 202);
  });
}

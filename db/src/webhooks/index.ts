export {
  type Delivery,
  type DeliveryAttempt,
  type DeliveryOutcome,
  type DueDelivery,
  leaseDeliveries,
  listDeliveries,
  recordDelivery,
  replayDelivery,
  STANDARD_SCHEDULE_MS,
} from "./deliveries.ts";
export type { WebhookStyle, WebhookTarget } from "./targets.ts";
export { createWebhook, deleteWebhook, listWebhooks, type Webhook } from "./webhooks.ts";

import { type DueDelivery, type JobWithResults, STANDARD_SCHEDULE_MS } from "@cartoon/db";
import { Webhook } from "standardwebhooks";
import { type LinkOptions, toRender } from "../renders/view.ts";

export interface WebhookMessage {
  body: string;
  headers: Record<string, string>;
}

/** How deliveries are worded, signed and retried. Dialects with webhooks of their own add theirs to the map. */
export interface WebhookStyle {
  compose: (delivery: DueDelivery, job: JobWithResults, links: LinkOptions) => Promise<WebhookMessage>;
  /** Ms after each failed attempt. */
  scheduleMs: readonly number[];
  isDelivered: (status: number) => boolean;
}

/** Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`; the body carries the render. */
export const standardStyle: WebhookStyle = {
  scheduleMs: STANDARD_SCHEDULE_MS,
  isDelivered: (status) => status >= 200 && status < 300,
  compose: async (delivery, job, links) => {
    const body = JSON.stringify({
      type: `render.${delivery.event}`,
      timestamp: new Date(delivery.at).toISOString(),
      data: await toRender(job, links),
    });
    const now = new Date();
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "webhook-id": delivery.id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    };
    if (delivery.secret !== null)
      headers["webhook-signature"] = new Webhook(delivery.secret).sign(delivery.id, now, body);
    return { body, headers };
  },
};

const styles = new Map<string, WebhookStyle>([["standard", standardStyle]]);

/** Adds the style of a dialect; its name is the `webhookStyle` that the dialect submits with. */
export function registerWebhookStyle(name: string, style: WebhookStyle): void {
  styles.set(name, style);
}

export const styleOf = (name: string): WebhookStyle => styles.get(name) ?? standardStyle;

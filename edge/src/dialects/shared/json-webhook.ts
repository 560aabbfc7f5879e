import type { JobWithResults } from "@cartoon/db";
import type { WebhookStyle } from "../../webhooks/styles.ts";

/** A webhook in a dialect's own words: unsigned JSON, as its clients expect it. */
export function jsonWebhook(
  bodyOf: (job: JobWithResults, origin: string, url: string) => Promise<unknown>,
  rules: Pick<WebhookStyle, "scheduleMs" | "isDelivered">,
): WebhookStyle {
  return {
    ...rules,
    compose: async (delivery, job, { origin }) => ({
      body: JSON.stringify(await bodyOf(job, origin, delivery.url)),
      headers: { "content-type": "application/json" },
    }),
  };
}

export const isSuccess = (status: number) => status >= 200 && status < 300;

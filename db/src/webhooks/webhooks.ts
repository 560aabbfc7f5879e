import { randomBytes } from "node:crypto";
import { TERMINAL_STATUSES } from "@cartoon/protos/job-status";
import { and, asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { newId } from "../ids.ts";
import { needSealer } from "../secrets/seal.ts";
import { rows, run, type Verb } from "../verb.ts";
import type { WebhookTarget } from "./targets.ts";

/** A tenant's standing address, which hears of each job enqueued while it is there. */
export interface Webhook {
  id: string;
  tenant: string;
  url: string;
  style: string;
  events: string[];
  enabled: boolean;
  createdAt: number;
}

/** Makes a standing webhook. The secret (Standard Webhooks, `whsec_…`) is shown this once. */
export function createWebhook(
  db: Database,
  tenant: string,
  target: WebhookTarget,
): Promise<{ webhook: Webhook; secret: string }> {
  const secret = target.secret ?? `whsec_${randomBytes(32).toString("base64")}`;
  return db.write(function* (tx): Verb<{ webhook: Webhook; secret: string }> {
    const webhook = {
      id: newId("whk", tx.now),
      tenant,
      url: target.url,
      style: target.style ?? "standard",
      events: target.events ?? [...TERMINAL_STATUSES],
      enabled: true,
      createdAt: tx.now,
    };
    const sealedSecret = needSealer(db.sealer).seal(secret, "webhook");
    yield* run(tx.db.insert(tx.t.webhooks).values({ ...webhook, sealedSecret }));
    return { webhook, secret };
  });
}

export function listWebhooks(db: Database, tenant: string): Promise<Webhook[]> {
  return db.read(function* (tx): Verb<Webhook[]> {
    const { webhooks } = tx.t;
    const query = tx.db
      .select()
      .from(webhooks)
      .where(eq(webhooks.tenant, tenant))
      .orderBy(asc(webhooks.createdAt));
    return (yield* rows(query)).map(({ sealedSecret, ...webhook }) => webhook);
  });
}

/** Jobs that are under way still tell it. @throws VerbError `not_found` */
export function deleteWebhook(db: Database, tenant: string, id: string): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const { webhooks } = tx.t;
    const mine = and(eq(webhooks.tenant, tenant), eq(webhooks.id, id));
    const gone = yield* rows(tx.db.delete(webhooks).where(mine).returning({ id: webhooks.id }));
    if (gone.length === 0) throw new VerbError("not_found", "There is no such webhook.");
  });
}

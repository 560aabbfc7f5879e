import { TERMINAL_STATUSES } from "@cartoon/protos/job-status";
import { and, eq, inArray } from "drizzle-orm";
import type { Draft } from "../jobs/idempotency.ts";
import { inList, prepared } from "../prepared.ts";
import { needSealer, type Sealer } from "../secrets/seal.ts";
import { rows, run, type Tx, type Verb } from "../verb.ts";
import type { WebhookTarget } from "./targets.ts";

type JobWebhookRow = Tx["t"]["jobWebhooks"]["$inferInsert"];

/** Writes down who will hear of new jobs: their own targets and their tenants' webhooks as they are now. */
export function* addJobWebhooks(tx: Tx, sealer: Sealer | null, drafts: Draft[]): Verb<void> {
  if (drafts.length === 0) return;
  const { jobWebhooks } = tx.t;
  const ofTenants = yield* enabledWebhooks(tx, [...new Set(drafts.map(({ row }) => row.tenant))]);
  const values: JobWebhookRow[] = [];
  for (const { input, row } of drafts) {
    const own = (input.webhooks ?? []).map((target) => ownWebhook(sealer, target));
    const tenants = ofTenants
      .filter((webhook) => webhook.tenant === row.tenant)
      .map(({ id, url, sealedSecret, style, events }) => ({
        webhookId: id,
        url,
        sealedSecret,
        style,
        events,
      }));
    const all = [...own, ...tenants].map((target, position) => ({ jobId: row.id, position, ...target }));
    row.webhooks = all.length;
    values.push(...all);
  }
  if (values.length > 0) yield* run(tx.db.insert(jobWebhooks).values(values).onConflictDoNothing());
}

/** Most tenants have none, which costs next to nothing to find out. */
function* enabledWebhooks(tx: Tx, tenants: string[]): Verb<Tx["t"]["webhooks"]["$inferSelect"][]> {
  const any = `select 1 from webhooks where tenant ${inList(tx)} limit 1`;
  if ((yield* prepared(tx, any, [JSON.stringify(tenants)])).length === 0) return [];
  const { webhooks } = tx.t;
  const enabled = and(inArray(webhooks.tenant, tenants), eq(webhooks.enabled, true));
  return yield* rows(tx.db.select().from(webhooks).where(enabled));
}

function ownWebhook(sealer: Sealer | null, target: WebhookTarget) {
  return {
    webhookId: null,
    url: target.url,
    sealedSecret: target.secret === undefined ? null : needSealer(sealer).seal(target.secret, "webhook"),
    style: target.style ?? "standard",
    events: target.events ?? [...TERMINAL_STATUSES],
  };
}

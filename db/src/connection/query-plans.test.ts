import { expect, test } from "bun:test";
import { DatabaseSync } from "node:sqlite";
import { loadMigrations } from "./migrations.ts";

/** What each verb asks when there are many jobs, and the index that answers without walking through all of them. */
const QUERIES = [
  [
    "lease",
    "select id from jobs where status = 'queued' and available_at <= 1 order by priority desc, share, id",
    "jobs_dispatch",
  ],
  [
    "position",
    "select work from jobs where status = 'queued' and priority = 1 and (share, id) < (5, 'a')",
    "jobs_dispatch",
  ],
  [
    "fair share",
    "select share from jobs where status = 'queued' and coalesce(key_id, tenant) = 'a' and priority = 1 order by share desc",
    "jobs_share",
  ],
  [
    "list",
    "select * from jobs where tenant = 'a' and (created_at, id) < (1, 'a') order by created_at desc, id desc",
    "jobs_tenant",
  ],
  [
    "list by state",
    "select * from jobs where tenant = 'a' and status = 'failed' order by created_at desc, id desc",
    "jobs_tenant_status",
  ],
  ["list of all", "select * from jobs order by created_at desc, id desc", "jobs_created"],
  ["read", "select * from jobs where id in ('a', 'b')", "sqlite_autoindex_jobs_1"],
  [
    "lost leases",
    "select * from jobs where status in ('running', 'committing') and lease_expires_at <= 1",
    "jobs_leased",
  ],
  [
    "waited too long",
    "select * from jobs where status = 'queued' and queue_deadline is not null and queue_deadline <= 1",
    "jobs_queue_deadline",
  ],
  [
    "pace",
    "select * from jobs where completed_at is not null and status = 'succeeded' order by completed_at desc",
    "jobs_completed",
  ],
  [
    "retention",
    "select id from jobs where results_expire_at is not null and results_expire_at <= 1",
    "jobs_results_expire",
  ],
  [
    "due deliveries",
    "select id from deliveries where status = 'pending' and next_at <= 1 order by next_at",
    "deliveries_due",
  ],
] as const;

test.each(QUERIES.map((query) => [...query]))("%s goes by an index, without sorting", (_, query, index) => {
  const client = new DatabaseSync(":memory:");
  for (const migration of loadMigrations("sqlite")) client.exec(migration.sql);
  const plan = client
    .prepare(`explain query plan ${query}`)
    .all()
    .map(({ detail }) => String(detail));
  client.close();
  expect(plan.join("; ")).toContain(` INDEX ${index}`);
  expect(plan.join("; ")).not.toContain("TEMP B-TREE");
});

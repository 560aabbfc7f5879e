import type { RenderSpec, Warning } from "@cartoon/protos";
import { blob, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { ApiKeyLimits, Checkpoint, EventData, Extras, Receipt, Scope } from "./values.ts";

const int8 = (name: string) => integer(name);
const json = (name: string) => text(name, { mode: "json" });
const bytea = (name: string) => blob(name).$type<Uint8Array>();

export const schemaMigrations = sqliteTable("schema_migrations", {
  version: integer("version").primaryKey(),
  name: text("name").notNull(),
  appliedAt: int8("applied_at").notNull(),
});

export const jobs = sqliteTable("jobs", {
  id: text("id").primaryKey(),
  alias: text("alias"),
  tenant: text("tenant").notNull(),
  keyId: text("key_id"),
  status: text("status").notNull(),
  priority: integer("priority").notNull(),
  share: int8("share").notNull(),
  pack: text("pack").notNull(),
  spec: json("spec").$type<RenderSpec>().notNull(),
  fingerprint: text("fingerprint").notNull(),
  dialect: text("dialect").notNull(),
  extras: json("extras").$type<Extras>().notNull(),
  sealed: text("sealed"),
  webhooks: integer("webhooks").notNull(),
  work: real("work").notNull(),
  attempt: integer("attempt").notNull(),
  fence: int8("fence").notNull(),
  nodeDeaths: integer("node_deaths").notNull(),
  leaseExpiries: integer("lease_expiries").notNull(),
  failures: integer("failures").notNull(),
  edgeId: text("edge_id"),
  nodeId: text("node_id"),
  leaseExpiresAt: int8("lease_expires_at"),
  availableAt: int8("available_at").notNull(),
  stage: text("stage").notNull(),
  progress: real("progress").notNull(),
  step: integer("step").notNull(),
  steps: integer("steps").notNull(),
  eventSeq: integer("event_seq").notNull(),
  cancelRequestedAt: int8("cancel_requested_at"),
  warnings: json("warnings").$type<Warning[]>().notNull(),
  errorCode: text("error_code"),
  errorMessage: text("error_message"),
  receipt: json("receipt").$type<Receipt>(),
  checkpoint: json("checkpoint").$type<Checkpoint>(),
  deviceSeconds: real("device_seconds").notNull(),
  createdAt: int8("created_at").notNull(),
  queuedAt: int8("queued_at").notNull(),
  startedAt: int8("started_at"),
  completedAt: int8("completed_at"),
  queueTtlMs: int8("queue_ttl_ms"),
  queueDeadline: int8("queue_deadline"),
  executionTimeoutMs: int8("execution_timeout_ms"),
  runDeadline: int8("run_deadline"),
  resultsTtlMs: int8("results_ttl_ms"),
  resultsExpireAt: int8("results_expire_at"),
});

export const jobEvents = sqliteTable(
  "job_events",
  {
    jobId: text("job_id").notNull(),
    seq: integer("seq").notNull(),
    type: text("type").notNull(),
    at: int8("at").notNull(),
    data: json("data").$type<EventData>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.seq] })],
);

export const results = sqliteTable(
  "results",
  {
    jobId: text("job_id").notNull(),
    name: text("name").notNull(),
    contentType: text("content_type").notNull(),
    bytes: int8("bytes").notNull(),
    sha256: text("sha256").notNull(),
    storageKey: text("storage_key").notNull(),
    width: integer("width").notNull(),
    height: integer("height").notNull(),
    seconds: real("seconds").notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.name] })],
);

export const previews = sqliteTable("previews", {
  jobId: text("job_id").primaryKey(),
  contentType: text("content_type").notNull(),
  step: integer("step").notNull(),
  at: int8("at").notNull(),
  data: bytea("data").notNull(),
});

/** Finished sentences of a dialogue that is being made, to listen to meanwhile. */
export const speechParts = sqliteTable(
  "speech_parts",
  {
    jobId: text("job_id").notNull(),
    part: integer("part").notNull(),
    contentType: text("content_type").notNull(),
    startSeconds: real("start_seconds").notNull(),
    seconds: real("seconds").notNull(),
    at: int8("at").notNull(),
    data: bytea("data").notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.part] })],
);

export const idempotency = sqliteTable(
  "idempotency",
  {
    tenant: text("tenant").notNull(),
    key: text("key").notNull(),
    fingerprint: text("fingerprint").notNull(),
    jobId: text("job_id").notNull(),
    expiresAt: int8("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.key] })],
);

export const queueClock = sqliteTable("queue_clock", {
  priority: integer("priority").primaryKey(),
  share: int8("share").notNull(),
});

export const apiKeys = sqliteTable("api_keys", {
  id: text("id").primaryKey(),
  tenant: text("tenant").notNull(),
  name: text("name").notNull(),
  prefix: text("prefix").notNull(),
  hash: text("hash").notNull(),
  scopes: json("scopes").$type<Scope[]>().notNull(),
  limits: json("limits").$type<ApiKeyLimits>().notNull(),
  createdAt: int8("created_at").notNull(),
  expiresAt: int8("expires_at"),
  revokedAt: int8("revoked_at"),
  lastUsedAt: int8("last_used_at"),
  rotatedFrom: text("rotated_from"),
});

export const rateWindows = sqliteTable(
  "rate_windows",
  {
    bucket: text("bucket").notNull(),
    windowStart: int8("window_start").notNull(),
    taken: integer("taken").notNull(),
    expiresAt: int8("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.bucket, table.windowStart] })],
);

export const usage = sqliteTable(
  "usage",
  {
    tenant: text("tenant").notNull(),
    day: text("day").notNull(),
    jobs: integer("jobs").notNull(),
    deviceSeconds: real("device_seconds").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.day] })],
);

export const webhooks = sqliteTable("webhooks", {
  id: text("id").primaryKey(),
  tenant: text("tenant").notNull(),
  url: text("url").notNull(),
  sealedSecret: text("sealed_secret").notNull(),
  style: text("style").notNull(),
  events: json("events").$type<string[]>().notNull(),
  enabled: integer("enabled", { mode: "boolean" }).notNull(),
  createdAt: int8("created_at").notNull(),
});

/** Who hears of a job: its own targets and, as of its start, those of its tenant. */
export const jobWebhooks = sqliteTable(
  "job_webhooks",
  {
    jobId: text("job_id").notNull(),
    position: integer("position").notNull(),
    webhookId: text("webhook_id"),
    url: text("url").notNull(),
    sealedSecret: text("sealed_secret"),
    style: text("style").notNull(),
    events: json("events").$type<string[]>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.position] })],
);

export const deliveries = sqliteTable("deliveries", {
  id: text("id").primaryKey(),
  tenant: text("tenant").notNull(),
  jobId: text("job_id").notNull(),
  position: integer("position").notNull(),
  event: text("event").notNull(),
  eventSeq: integer("event_seq").notNull(),
  status: text("status").notNull(),
  attempts: integer("attempts").notNull(),
  nextAt: int8("next_at").notNull(),
  lockedUntil: int8("locked_until").notNull(),
  createdAt: int8("created_at").notNull(),
  completedAt: int8("completed_at"),
});

export const deliveryAttempts = sqliteTable(
  "delivery_attempts",
  {
    deliveryId: text("delivery_id").notNull(),
    attempt: integer("attempt").notNull(),
    at: int8("at").notNull(),
    statusCode: integer("status_code"),
    milliseconds: integer("milliseconds").notNull(),
    error: text("error"),
  },
  (table) => [primaryKey({ columns: [table.deliveryId, table.attempt] })],
);

export const nodes = sqliteTable("nodes", {
  id: text("id").primaryKey(),
  address: text("address").notNull(),
  status: json("status").$type<EventData>().notNull(),
  registeredAt: int8("registered_at").notNull(),
  lastSeenAt: int8("last_seen_at").notNull(),
  failuresInARow: integer("failures_in_a_row").notNull(),
  restingUntil: int8("resting_until").notNull(),
});

export const characters = sqliteTable(
  "characters",
  {
    tenant: text("tenant").notNull(),
    name: text("name").notNull(),
    data: json("data").$type<EventData>().notNull(),
    createdAt: int8("created_at").notNull(),
    updatedAt: int8("updated_at").notNull(),
    loraSha256: text("lora_sha256"),
    voiceSha256: text("voice_sha256"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.name] })],
);

export const assets = sqliteTable(
  "assets",
  {
    tenant: text("tenant").notNull(),
    sha256: text("sha256").notNull(),
    kind: text("kind").notNull(),
    bytes: int8("bytes").notNull(),
    storageKey: text("storage_key").notNull(),
    createdAt: int8("created_at").notNull(),
    releasedAt: int8("released_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.sha256] })],
);

/** The shots of storyboards in their order, each a job of its own. */
export const storyboardShots = sqliteTable(
  "storyboard_shots",
  {
    boardId: text("board_id").notNull(),
    position: integer("position").notNull(),
    jobId: text("job_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.boardId, table.position] })],
);

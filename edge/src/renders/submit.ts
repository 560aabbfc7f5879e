import {
  type Enqueued,
  type EnqueueInput,
  enqueue,
  enqueueMany,
  fingerprint,
  type VerbError,
} from "@cartoon/db";
import type { RenderSpec } from "@cartoon/protos";
import type { Principal } from "../auth/principal.ts";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import { type BuiltSpec, buildSpec } from "./build-spec.ts";
import type { RenderRequest } from "./request.ts";
import { workOf } from "./work.ts";

export interface SubmitOptions {
  dialect: string;
  /** What the dialect needs to answer in its own shape. */
  extras?: Record<string, unknown>;
  /** Sealed in the database, for the dispatcher alone. */
  secrets?: Record<string, unknown>;
  idempotencyKey?: string;
  alias?: string;
  webhookStyle?: string;
  warnings?: BuiltSpec["warnings"];
}

const seconds = (value: number | undefined, otherwise: number) => Math.round((value ?? otherwise) * 1000);

/** What the database needs of a request: the spec with its defaults written out, limits, time-outs, webhooks. */
export function toEnqueue(
  services: Services,
  principal: Principal,
  request: RenderRequest,
  options: SubmitOptions,
): EnqueueInput & { spec: RenderSpec } {
  const { config, catalog } = services;
  const built = buildSpec(request, catalog.pack(request.pack ?? ""));
  const { webhook } = request;
  return {
    tenant: principal.tenant,
    keyId: principal.keyId ?? undefined,
    spec: built.spec,
    priority: request.priority,
    dialect: options.dialect,
    extras: { ...options.extras, ...(request.metadata ? { metadata: request.metadata } : {}) },
    secrets: options.secrets,
    alias: options.alias,
    idempotencyKey: options.idempotencyKey,
    fingerprint: fingerprint(request),
    warnings: [...(options.warnings ?? []), ...built.warnings],
    work: workOf(built.spec),
    queueTtlMs: seconds(request.queue_ttl_seconds, config.queueTtlSeconds),
    executionTimeoutMs: seconds(request.execution_timeout_seconds, config.executionTimeoutSeconds),
    resultsTtlMs: seconds(request.retention_seconds, config.retentionSeconds),
    webhooks: webhook
      ? [{ url: webhook.url, style: options.webhookStyle, secret: webhook.secret, events: webhook.events }]
      : undefined,
    limits: { tenantQueued: principal.limits.queuedJobs, globalQueued: config.maxQueued },
  };
}

/**
 * Puts a render into the queue; it is durable when this resolves.
 * @throws ApiError, VerbError
 */
export async function submitRender(
  services: Services,
  principal: Principal,
  request: RenderRequest,
  options: SubmitOptions,
): Promise<Enqueued> {
  if (services.stopping.aborted) throw new ApiError("shutting_down", "this edge is going down; try again");
  return enqueue(services.db, toEnqueue(services, principal, request, options));
}

/** Several at once, in one transaction; each is taken or refused by itself, in order. */
export async function submitRenders(
  services: Services,
  principal: Principal,
  requests: readonly RenderRequest[],
  options: SubmitOptions,
): Promise<(Enqueued | ApiError | VerbError)[]> {
  if (services.stopping.aborted) throw new ApiError("shutting_down", "this edge is going down; try again");
  const inputs = requests.map((request) => {
    try {
      return toEnqueue(services, principal, request, options);
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  });
  const good = inputs.filter(
    (input): input is EnqueueInput & { spec: RenderSpec } => !(input instanceof ApiError),
  );
  const outcomes = good.length > 0 ? await enqueueMany(services.db, good) : [];
  let next = 0;
  return inputs.map((input) => {
    if (input instanceof ApiError) return input;
    const outcome = outcomes[next++];
    if (outcome === undefined) throw new Error("fewer outcomes than jobs");
    return outcome;
  });
}

import {
  type Enqueued,
  type EnqueueInput,
  enqueue,
  enqueueMany,
  fingerprint,
  type VerbError,
} from "@cartoon/db";
import type { RegisteredCharacter } from "@cartoon/protos";
import type { Principal } from "../auth/principal.ts";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import { currentRequestId, currentSpan, formatTraceparent } from "../tracing/context.ts";
import { checkDeadline, checkQuota } from "./admission.ts";
import { type BuiltSpec, buildSpec } from "./build-spec.ts";
import { castOf } from "./cast.ts";
import { checkWebhookUrl, type RenderRequest } from "./request.ts";
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

export type NewJob = EnqueueInput & { work: number };

function checkDestination(services: Services, name: string | undefined): void {
  const names = Object.keys(services.config.destinations);
  if (name === undefined || names.includes(name)) return;
  const detail = `there is no destination "${name}"; known: ${names.join(", ") || "none"}`;
  throw new ApiError("validation_failed", `#/destination: ${detail}`, {
    errors: [{ detail, pointer: "#/destination" }],
  });
}

// The job outlives the request that made it: its attempts belong to the same trace, its log lines name the request.
function originOf(): { traceparent?: string; request_id?: string } {
  const span = currentSpan();
  const request_id = currentRequestId();
  return { ...(span ? { traceparent: formatTraceparent(span) } : {}), ...(request_id ? { request_id } : {}) };
}

const seconds = (value: number | undefined, otherwise: number) => Math.round((value ?? otherwise) * 1000);

/**
 * What the database needs of a request: the spec with its defaults written out, limits, time-outs, webhooks.
 * @param cast registered characters that it may use, from `castOf`
 */
export function toEnqueue(
  services: Services,
  principal: Principal,
  request: RenderRequest,
  options: SubmitOptions,
  cast: readonly RegisteredCharacter[],
): NewJob {
  const { config, catalog } = services;
  const built = buildSpec(request, catalog.pack(request.pack ?? ""), cast);
  if (config.demo)
    throw new ApiError("no_nodes", "this is a demo: the request is valid, and nothing is rendered");
  const { webhook, destination } = request;
  checkDestination(services, destination);
  if (webhook) checkWebhookUrl(webhook.url, config.fetchAllow, "#/webhook/url");
  return {
    tenant: principal.tenant,
    keyId: principal.keyId ?? undefined,
    spec: built.spec,
    priority: request.priority,
    dialect: options.dialect,
    extras: {
      ...options.extras,
      ...originOf(),
      ...(destination === undefined ? {} : { destination }),
      ...(request.metadata ? { metadata: request.metadata } : {}),
    },
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
  await checkQuota(services, principal);
  const cast = await castOf(services, principal.tenant, request);
  const input = toEnqueue(services, principal, request, options, cast);
  await checkDeadline(services, request, { pack: input.spec.pack, work: input.work });
  return enqueue(services.db, input);
}

/** Several at once, in one transaction; each is taken or refused by itself, in order. */
export async function submitRenders(
  services: Services,
  principal: Principal,
  requests: readonly RenderRequest[],
  options: SubmitOptions,
): Promise<(Enqueued | ApiError | VerbError)[]> {
  if (services.stopping.aborted) throw new ApiError("shutting_down", "this edge is going down; try again");
  await checkQuota(services, principal);
  const tryOne = async (request: RenderRequest) => {
    try {
      const cast = await castOf(services, principal.tenant, request);
      const input = toEnqueue(services, principal, request, options, cast);
      await checkDeadline(services, request, { pack: input.spec.pack, work: input.work });
      return input;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  };
  const inputs = await Promise.all(requests.map(tryOne));
  const good = inputs.filter((input): input is NewJob => !(input instanceof ApiError));
  const outcomes = good.length > 0 ? await enqueueMany(services.db, good) : [];
  let next = 0;
  return inputs.map((input) => {
    if (input instanceof ApiError) return input;
    const outcome = outcomes[next++];
    if (outcome === undefined) throw new Error("fewer outcomes than jobs");
    return outcome;
  });
}

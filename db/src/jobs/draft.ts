import type { RenderSpec, Warning } from "@cartoon/protos";
import { VerbError } from "../errors.ts";
import { CLIENT_ID, idOfAlias, newId } from "../ids.ts";
import type { Extras } from "../schema/values.ts";
import { needSealer, type Sealer } from "../secrets/seal.ts";
import type { WebhookTarget } from "../webhooks/targets.ts";
import type { QueueLimits } from "./admission.ts";
import { fingerprint } from "./fingerprint.ts";
import { type JobRow, PRIORITIES, type Priority } from "./job.ts";

export interface EnqueueInput {
  tenant: string;
  keyId?: string;
  spec: RenderSpec;
  /** Default: `normal`. */
  priority?: Priority;
  /** The way in; default `v1`. */
  dialect?: string;
  extras?: Extras;
  /** Kept sealed, for the dispatcher alone; needs the database's secret key. */
  secrets?: Record<string, unknown>;
  /** The id that the client wants (PUT). The same request again gives the same job, another one is refused. */
  alias?: string;
  /** Same key and request: the same job. Same key, other request: refused. */
  idempotencyKey?: string;
  /** How long the key is remembered. Default: a day. */
  idempotencyTtlMs?: number;
  /** Of the request as the client sent it, before defaults and random seeds. Default: of the spec. */
  fingerprint?: string;
  warnings?: Warning[];
  /** Size of the job in units of the caller's choice, for estimates. */
  work?: number;
  /** How long it may wait; then it is `timed_out`. */
  queueTtlMs?: number;
  /** How long one attempt may run; then it is `timed_out`. */
  executionTimeoutMs?: number;
  /** How long results are kept after success. */
  resultsTtlMs?: number;
  /** Who hears of this job, beside the tenant's own webhooks. */
  webhooks?: WebhookTarget[];
  limits?: QueueLimits;
}

/** The row of a new job. */
export function draftRow(now: number, sealer: Sealer | null, input: EnqueueInput): JobRow {
  if (input.alias !== undefined && !CLIENT_ID.test(input.alias)) {
    throw new VerbError("invalid_input", "An id has 1 to 128 of the characters A-Z a-z 0-9 _ -.", {
      field: "id",
    });
  }
  if (input.webhooks?.some(({ secret }) => secret !== undefined)) needSealer(sealer);
  const id = input.alias === undefined ? newId("job", now) : idOfAlias(input.tenant, input.alias);
  const sealed = input.secrets ? needSealer(sealer).seal(JSON.stringify(input.secrets), id) : null;
  return {
    ...NEW_JOB,
    id,
    alias: input.alias ?? null,
    tenant: input.tenant,
    keyId: input.keyId ?? null,
    priority: PRIORITIES.indexOf(input.priority ?? "normal"),
    pack: input.spec.pack,
    spec: input.spec,
    fingerprint: input.fingerprint ?? fingerprint(input.spec),
    dialect: input.dialect ?? "v1",
    extras: input.extras ?? {},
    sealed,
    work: input.work ?? 0,
    warnings: input.warnings ?? [],
    availableAt: now,
    createdAt: now,
    queuedAt: now,
    queueTtlMs: input.queueTtlMs ?? null,
    queueDeadline: input.queueTtlMs === undefined ? null : now + input.queueTtlMs,
    executionTimeoutMs: input.executionTimeoutMs ?? null,
    resultsTtlMs: input.resultsTtlMs ?? null,
  };
}

/** What every new job has in common; its share and webhooks are still to be given. */
export const NEW_JOB = {
  status: "queued",
  share: 0,
  webhooks: 0,
  attempt: 0,
  fence: 0,
  nodeDeaths: 0,
  leaseExpiries: 0,
  failures: 0,
  edgeId: null,
  nodeId: null,
  leaseExpiresAt: null,
  stage: "",
  progress: 0,
  step: 0,
  steps: 0,
  eventSeq: 1,
  cancelRequestedAt: null,
  errorCode: null,
  errorMessage: null,
  receipt: null,
  checkpoint: null,
  deviceSeconds: 0,
  startedAt: null,
  completedAt: null,
  runDeadline: null,
  resultsExpireAt: null,
} satisfies Partial<JobRow>;

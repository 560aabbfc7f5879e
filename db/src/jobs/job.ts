import type { JobStatus, RenderSpec, Warning } from "@cartoon/protos";
import type { Checkpoint, Extras, Receipt } from "../schema/values.ts";
import { WAITING } from "../storyboards/shots.ts";
import type { Schema } from "../verb.ts";

export const PRIORITIES = ["low", "normal", "high"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** A job as every dialect sees it. Times are ms since 1970, `null` until they happen. */
export interface Job {
  id: string;
  /** The id that the client chose, when it did: what dialects show and accept in place of `id`. */
  alias: string | null;
  tenant: string;
  keyId: string | null;
  status: JobStatus;
  priority: Priority;
  pack: string;
  spec: RenderSpec;
  /** The way in, e.g. `v1`, `runpod`, `cog`. */
  dialect: string;
  extras: Extras;
  hasSecrets: boolean;
  /** Size of the job in units of the edge's choice (e.g. latent pixels x frames x steps), for estimates. */
  work: number;
  /** 0 before the first lease. */
  attempt: number;
  /** Grows with every lease; verbs of a runner are refused unless they name the present one. */
  fence: number;
  edgeId: string | null;
  nodeId: string | null;
  leaseExpiresAt: number | null;
  stage: string;
  /** 0 to 1. */
  progress: number;
  step: number;
  steps: number;
  /** Sequence of the newest event. */
  eventSeq: number;
  cancelRequestedAt: number | null;
  warnings: Warning[];
  error: { code: string; message: string } | null;
  receipt: Receipt | null;
  checkpoint: Checkpoint | null;
  /** Seconds of device time over all attempts. */
  deviceSeconds: number;
  createdAt: number;
  queuedAt: number;
  startedAt: number | null;
  completedAt: number | null;
  queueDeadline: number | null;
  executionTimeoutMs: number | null;
  runDeadline: number | null;
  resultsExpireAt: number | null;
}

export interface JobResult {
  name: string;
  contentType: string;
  bytes: number;
  sha256: string;
  storageKey: string;
  width: number;
  height: number;
  seconds: number;
}

export type JobRow = Schema["jobs"]["$inferSelect"];

export function toJob(row: JobRow): Job {
  const { sealed, errorCode, errorMessage, priority, status, ...rest } = row;
  const { share, nodeDeaths, leaseExpiries, failures, availableAt, fingerprint, ...shown } = rest;
  const { queueTtlMs, resultsTtlMs, ...job } = shown;
  return {
    ...job,
    // A storyboard whose shots are not done waits to the outside too; the queue leaves it alone.
    status: status === WAITING ? "queued" : (status as JobStatus),
    priority: PRIORITIES[priority] ?? "normal",
    hasSecrets: sealed !== null,
    error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? "" },
  };
}

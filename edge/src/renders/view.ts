import type { Job, JobResult, JobWithResults } from "@cartoon/db";
import { isTerminal, type Warning } from "@cartoon/protos";
import type { Store } from "../store/store.ts";

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/** The id that the client knows the job by. */
export const publicId = (job: Job) => job.alias ?? job.id;

export interface ResultLink {
  name: string;
  url: string;
  download_url: string;
  content_type: string;
  bytes: number;
  sha256: string;
  width?: number;
  height?: number;
  seconds?: number;
  /** When the file is deleted; the URL ends before that, and another one is a read away. */
  expires_at: string | null;
}

export interface LinkOptions {
  store: Store;
  origin: string;
  expiresInSeconds: number;
}

/** Results with URLs signed at this very moment. */
export async function resultLinks(
  job: Job,
  results: readonly JobResult[],
  options: LinkOptions,
): Promise<ResultLink[]> {
  const sign = (key: string, downloadAs?: string) =>
    options.store.signGet(key, { ...options, ...(downloadAs === undefined ? {} : { downloadAs }) });
  return Promise.all(
    results.map(async (result) => ({
      name: result.name,
      url: await sign(result.storageKey),
      download_url: await sign(result.storageKey, `${job.id}-${result.name}`),
      content_type: result.contentType,
      bytes: result.bytes,
      sha256: result.sha256,
      ...(result.width > 0 ? { width: result.width, height: result.height } : {}),
      ...(result.seconds > 0 ? { seconds: result.seconds } : {}),
      expires_at: iso(job.resultsExpireAt),
    })),
  );
}

/** One warning per field and rule; later ones, which come from the node, win. */
export function distinctWarnings(warnings: readonly Warning[]): Warning[] {
  return [...new Map(warnings.map((warning) => [`${warning.field} ${warning.rule}`, warning])).values()];
}

/** A job as `/v1` shows it. */
export async function toRender(job: Job | JobWithResults, options: LinkOptions) {
  const id = publicId(job);
  const self = `${options.origin}/v1/renders/${id}`;
  return {
    id,
    status: job.status,
    stage: job.stage,
    progress: job.progress,
    step: job.step,
    steps: job.steps,
    attempt: job.attempt,
    priority: job.priority,
    created_at: iso(job.createdAt),
    started_at: iso(job.startedAt),
    completed_at: iso(job.completedAt),
    results_expire_at: iso(job.resultsExpireAt),
    cancel_requested: job.cancelRequestedAt !== null && !isTerminal(job.status),
    spec: job.spec,
    warnings: distinctWarnings(job.warnings),
    results: await resultLinks(job, "results" in job ? job.results : [], options),
    error: job.error,
    receipt: job.receipt && {
      steps_done: job.receipt.stepsDone,
      steps_total: job.receipt.stepsTotal,
      device_seconds: job.deviceSeconds,
      stages: job.receipt.stages,
    },
    metadata: (job.extras.metadata ?? {}) as Record<string, string>,
    links: { self, events: `${self}/events`, cancel: `${self}/cancel`, preview: `${self}/preview` },
  };
}
export type Render = Awaited<ReturnType<typeof toRender>>;

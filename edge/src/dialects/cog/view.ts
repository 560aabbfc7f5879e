import type { JobWithResults } from "@cartoon/db";
import type { JobStatus } from "@cartoon/protos";
import { distinctWarnings, publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { resultUrls } from "../shared/links.ts";

export const PREDICTION_STATUS: Record<JobStatus, string> = {
  queued: "starting",
  running: "processing",
  committing: "processing",
  succeeded: "succeeded",
  failed: "failed",
  canceled: "canceled",
  timed_out: "failed",
};

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
const span = (from: number | null, to: number | null) =>
  from === null || to === null ? 0 : (to - from) / 1000;

function errorOf(job: JobWithResults): string | null {
  if (job.status === "timed_out") return "The job took too long.";
  return job.error ? `${job.error.code}: ${job.error.message}` : null;
}

/** A job as Cog's and Replicate's prediction. Output is an object of URLs, signed just now. */
export async function toPrediction(services: Services, job: JobWithResults, origin: string) {
  const urls = await resultUrls(services, job, origin);
  const id = publicId(job);
  const self = `${origin}/v1/predictions/${id}`;
  const succeeded = job.status === "succeeded";
  return {
    id,
    model: "cartoon/animation",
    version: "6.0.0",
    input: job.extras.input ?? {},
    output: succeeded
      ? {
          mp4: urls["clip.mp4"] ?? null,
          gif: urls["clip.gif"] ?? null,
          audio: urls["speech.wav"] ?? null,
          poster: urls["poster.png"] ?? null,
          captions: urls["captions.vtt"] ?? null,
          seed: job.spec.clip?.seed ?? job.spec.speech?.seed ?? null,
        }
      : null,
    error: errorOf(job),
    logs: distinctWarnings(job.warnings)
      .map((one) => `${one.field}: ${one.given} -> ${one.used} (${one.rule})\n`)
      .join(""),
    // A job that was stopped before it began was aborted, in Replicate's words.
    status: job.status === "canceled" && job.startedAt === null ? "aborted" : PREDICTION_STATUS[job.status],
    created_at: iso(job.createdAt),
    started_at: iso(job.startedAt),
    completed_at: iso(job.completedAt),
    source: "api",
    data_removed: succeeded && job.results.length === 0,
    metrics: {
      predict_time: span(job.startedAt, job.completedAt),
      total_time: span(job.createdAt, job.completedAt),
    },
    urls: { get: self, cancel: `${self}/cancel`, stream: `${self}/stream`, web: `${origin}/#${id}` },
  };
}
export type Prediction = Awaited<ReturnType<typeof toPrediction>>;

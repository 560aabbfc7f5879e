import type { Job } from "@cartoon/db";
import type { JobStatus } from "@cartoon/protos";
import { publicId } from "../../renders/view.ts";

const STATUS: Record<JobStatus, "queued" | "in_progress" | "completed" | "failed"> = {
  queued: "queued",
  running: "in_progress",
  committing: "in_progress",
  succeeded: "completed",
  failed: "failed",
  canceled: "failed",
  timed_out: "failed",
};

const seconds = (ms: number | null) => (ms === null ? null : Math.floor(ms / 1000));

function errorOf(job: Job) {
  if (job.status === "canceled") return { code: "canceled", message: "The job was canceled." };
  if (job.status === "timed_out") return { code: "timeout", message: "The job took too long." };
  return job.error;
}

/** A job as OpenAI's `video` object. */
export function toVideo(job: Job) {
  const { clip } = job.spec;
  const length = clip ? clip.num_frames / clip.fps : 0;
  const running = job.status === "committing" ? 99 : Math.floor(job.progress * 100);
  return {
    id: publicId(job),
    object: "video" as const,
    model: job.pack || "default",
    status: STATUS[job.status],
    progress: job.status === "succeeded" ? 100 : Math.min(99, running),
    created_at: seconds(job.createdAt),
    completed_at: seconds(job.completedAt),
    expires_at: seconds(job.resultsExpireAt),
    size: clip ? `${clip.width}x${clip.height}` : "",
    seconds: String(Math.max(1, Math.round(length))),
    prompt: clip?.prompt ?? job.spec.speech?.lines[0]?.text ?? "",
    error: errorOf(job),
    remixed_from_video_id: typeof job.extras.remixOf === "string" ? job.extras.remixOf : null,
  };
}

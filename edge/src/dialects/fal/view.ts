import type { JobEvent, JobWithResults } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import { publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { resultUrls } from "../shared/links.ts";

/**
 * A job as fal's queue shows it: what has ended in any way is COMPLETED, with an `error` where it went wrong.
 * @param model address of the model, under which the request's own addresses lie
 */
export function toFalStatus(job: JobWithResults, model: string, position?: number) {
  const id = publicId(job);
  const url = `${model}/requests/${id}`;
  const over = isTerminal(job.status);
  return {
    request_id: id,
    gateway_request_id: id,
    status: over ? "COMPLETED" : job.status === "queued" ? "IN_QUEUE" : "IN_PROGRESS",
    ...(job.status === "queued" ? { queue_position: position ?? 0 } : {}),
    response_url: url,
    status_url: `${url}/status`,
    cancel_url: `${url}/cancel`,
    ...(over && job.startedAt !== null && job.completedAt !== null
      ? { metrics: { inference_time: (job.completedAt - job.startedAt) / 1000 } }
      : {}),
    ...(over && job.status !== "succeeded" ? { error: job.error?.message ?? job.status } : {}),
  };
}

export function toFalLogs(events: readonly JobEvent[]) {
  return events
    .filter((event) => event.type !== "preview")
    .map((event) => ({
      message: typeof event.data.message === "string" ? event.data.message : logLine(event),
      level: String(event.data.level ?? "INFO").toUpperCase(),
      source: "USER",
      timestamp: new Date(event.at).toISOString(),
    }));
}

function logLine(event: JobEvent): string {
  const { stage, step, steps } = event.data;
  if (event.type !== "progress") return event.type;
  return steps ? `${stage} ${step}/${steps}` : String(stage ?? event.type);
}

/** The files of a succeeded job, in the shape of fal's video models. */
export async function toFalResult(services: Services, job: JobWithResults, origin: string) {
  const urls = await resultUrls(services, job, origin);
  const file = (name: keyof typeof urls) => {
    const result = job.results.find((one) => one.name === name);
    const url = urls[name];
    if (!result || url === undefined) return null;
    return { url, content_type: result.contentType, file_name: name, file_size: result.bytes };
  };
  return {
    video: file("clip.mp4"),
    gif: file("clip.gif"),
    audio: file("speech.wav"),
    captions: file("captions.vtt"),
    seed: job.spec.clip?.seed ?? job.spec.speech?.seed ?? null,
    prompt: job.spec.clip?.prompt ?? "",
  };
}

/** What fal posts to `fal_webhook` when a request has ended. */
export async function toFalWebhook(services: Services, job: JobWithResults, origin: string) {
  const id = publicId(job);
  const ok = job.status === "succeeded";
  return {
    request_id: id,
    gateway_request_id: id,
    status: ok ? "OK" : "ERROR",
    payload: ok ? await toFalResult(services, job, origin) : null,
    error: ok ? null : (job.error?.message ?? job.status),
  };
}

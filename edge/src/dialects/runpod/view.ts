import { Buffer } from "node:buffer";
import type { Job, JobWithResults } from "@cartoon/db";
import { isTerminal, type JobStatus } from "@cartoon/protos";
import { distinctWarnings, publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { DELIVERED } from "../../store/caller-bucket.ts";
import { resultUrls } from "../shared/links.ts";
import { memoryUsage } from "../shared/memory-usage.ts";

export const RUNPOD_STATUS: Record<JobStatus, string> = {
  queued: "IN_QUEUE",
  running: "IN_PROGRESS",
  committing: "IN_PROGRESS",
  succeeded: "COMPLETED",
  failed: "FAILED",
  canceled: "CANCELLED",
  timed_out: "TIMED_OUT",
};

/** Media up to this many bytes in all travel inside the answer as in v5; larger ones as URLs alone. */
const INLINE_BYTES = 6_000_000;

/** Whole milliseconds: the Go client types them as integers. */
export function times(job: Job) {
  const until = job.completedAt ?? Date.now();
  return {
    delayTime: Math.max(0, Math.round((job.startedAt ?? until) - job.createdAt)),
    executionTime: job.startedAt === null ? 0 : Math.max(0, Math.round(until - job.startedAt)),
  };
}

/** `GET /status`: `output` is the progress while the job runs, the media once it is done; `error` is a string. */
export async function toStatus(services: Services, job: JobWithResults, origin: string) {
  return {
    id: publicId(job),
    status: RUNPOD_STATUS[job.status],
    ...times(job),
    ...(job.attempt > 1 ? { retries: job.attempt - 1 } : {}),
    ...(job.nodeId === null ? {} : { workerId: job.nodeId }),
    ...(await outcome(services, job, origin)),
  };
}

async function outcome(services: Services, job: JobWithResults, origin: string) {
  if (job.status === "succeeded") return { output: await toOutput(services, job, origin) };
  if (job.status === "failed")
    return { error: `${job.error?.code ?? "failed"}: ${job.error?.message ?? ""}` };
  if (job.status === "timed_out") return { error: "job timed out" };
  if (isTerminal(job.status) || job.status === "queued") return {};
  return { output: { stage: job.stage, progress: job.progress, step: job.step, steps: job.steps } };
}

/** The output of v5's handler, with the URLs and warnings of v6. */
export async function toOutput(services: Services, job: JobWithResults, origin: string) {
  const urls = await resultUrls(services, job, origin);
  const { clip, speech } = job.spec;
  const total = ["clip.gif", "clip.mp4", "speech.wav"].reduce((sum, name) => sum + bytesOf(job, name), 0);
  const media = async (name: "clip.gif" | "clip.mp4" | "speech.wav") =>
    total <= INLINE_BYTES && job.extras[DELIVERED] !== true ? dataUrl(services, job, name) : urls[name];
  const [gif, mp4, audio] = await Promise.all([media("clip.gif"), media("clip.mp4"), media("speech.wav")]);
  const characters = clip?.characters.map((one) => one.name) ?? [];
  return {
    task_type: clip ? (speech ? "combined" : "animation") : "tts",
    seed: clip?.seed ?? speech?.seed ?? 0,
    generation_time: times(job).executionTime / 1000,
    memory_usage: memoryUsage(services, job),
    ...(gif === undefined ? {} : { gif }),
    ...(mp4 === undefined ? {} : { mp4 }),
    ...(audio === undefined ? {} : { audio }),
    character: characters.join(","),
    characters,
    prompt: clip?.prompt ?? "",
    dialogue_text: speech?.lines.map((line) => line.text).join(" ") ?? "",
    urls,
    warnings: distinctWarnings(job.warnings),
  };
}

const bytesOf = (job: JobWithResults, name: string) =>
  job.results.find((one) => one.name === name)?.bytes ?? 0;

async function dataUrl(services: Services, job: JobWithResults, name: string): Promise<string | undefined> {
  const result = job.results.find((one) => one.name === name);
  const object = result && (await services.store.get(result.storageKey));
  if (!object) return undefined;
  const bytes = Buffer.from(await new Response(object.body).arrayBuffer());
  return `data:${result.contentType};base64,${bytes.toString("base64")}`;
}

import type { JobWithResults } from "@cartoon/db";
import { linksFor } from "../../renders/links.ts";
import { distinctWarnings, publicId, resultLinks } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { memoryUsage } from "../shared/memory-usage.ts";
import type { Task } from "../shared/v5-input/contract.ts";

async function base64(services: Services, job: JobWithResults, name: string): Promise<string | null> {
  const result = job.results.find((one) => one.name === name);
  const object = result && (await services.store.get(result.storageKey));
  if (!object) return null;
  return Buffer.from(await new Response(object.body).arrayBuffer()).toString("base64");
}

const seconds = (job: JobWithResults) =>
  job.completedAt === null || job.startedAt === null ? null : (job.completedAt - job.startedAt) / 1000;

/** The answer of v5's REST endpoints, media in raw base64, with what v6 adds: id, URLs, warnings. */
export async function toV5Answer(services: Services, job: JobWithResults, task: Task, origin: string) {
  const links = await resultLinks(job, job.results, linksFor(services, origin));
  const [gif, mp4, audio] = await Promise.all(
    ["clip.gif", "clip.mp4", "speech.wav"].map((name) => base64(services, job, name)),
  );
  return {
    task_type: task,
    gif: gif ?? null,
    mp4: mp4 ?? null,
    audio: audio ?? null,
    seed: job.spec.clip?.seed ?? job.spec.speech?.seed ?? null,
    memory_usage: memoryUsage(services, job),
    generation_time: seconds(job),
    id: publicId(job),
    status: job.status,
    urls: Object.fromEntries(links.map((link) => [link.name, link.url])),
    warnings: distinctWarnings(job.warnings),
  };
}

/** The answer while the render still goes on. */
export function toV5Pending(job: JobWithResults, origin: string) {
  const id = publicId(job);
  return {
    id,
    status: job.status,
    progress: job.progress,
    detail: "the render goes on; poll status_url",
    status_url: `${origin}/v1/renders/${id}`,
    events_url: `${origin}/v1/renders/${id}/events`,
    warnings: distinctWarnings(job.warnings),
  };
}

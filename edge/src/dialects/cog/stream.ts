import { getJob, type JobEvent, type JobWithResults } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import { followEvents } from "../../renders/live.ts";
import { eventStream } from "../../renders/sse.ts";
import type { Services } from "../../services.ts";
import { toPrediction } from "./view.ts";

const KEEPALIVE_MS = 15_000;

/** Cog's event stream of a prediction: `start`, `log`, `metric`, then `completed` with the whole prediction. */
export function predictionStream(services: Services, job: JobWithResults, origin: string): Response {
  return eventStream(services.stopping, async function* (signal) {
    const events = followEvents(services.db, services.signals, job, {
      afterSeq: 0,
      idleMs: KEEPALIVE_MS,
      signal,
    });
    for await (const event of events) {
      const chunk = event === undefined ? ": keepalive\n\n" : await chunkOf(services, job, event, origin);
      if (chunk) yield chunk;
    }
  });
}

const frame = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

async function chunkOf(services: Services, job: JobWithResults, event: JobEvent, origin: string) {
  if (event.type === "leased") return frame("start", { id: job.alias ?? job.id, status: "processing" });
  if (event.type === "log") return frame("log", { source: "stdout", data: `${event.data.message ?? ""}\n` });
  if (event.type === "progress")
    return frame("metric", { name: "progress", value: event.data.fraction ?? 0, mode: "replace" });
  if (!isTerminal(event.type as JobWithResults["status"])) return undefined;
  const ended = await getJob(services.db, { tenant: job.tenant }, job.id);
  return frame("completed", await toPrediction(services, ended, origin));
}

import { estimateJob, getJob, type JobEvent, type JobWithResults } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import { followEvents } from "../../renders/live.ts";
import type { Services } from "../../services.ts";
import type { GradioFunction } from "./functions.ts";
import { failureText, outputData } from "./output.ts";

const HEARTBEAT_MS = 15_000;

export type Message = Record<string, unknown> & { msg: string };

const STAGE_NAMES: Record<string, string> = {
  load: "Loading the models",
  speech: "Making the voices",
  denoise: "Drawing",
  decode: "Developing the frames",
  mux: "Joining picture and sound",
  upload: "Storing the result",
};

/** The queue messages of one job in Gradio's words, until it has ended. Source: gradio 6.25.0, protocol sse_v3. */
export async function* jobMessages(
  services: Services,
  job: JobWithResults,
  fn: GradioFunction,
  origin: string,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  const event_id = job.alias ?? job.id;
  const events = followEvents(services.db, services.signals, job, {
    afterSeq: 0,
    idleMs: HEARTBEAT_MS,
    signal,
  });
  for await (const event of events) {
    if (event === undefined) yield { msg: "heartbeat" };
    else if (event.type === "queued" || event.type === "requeued")
      yield await estimation(services, job, event_id);
    else if (event.type === "leased") yield { msg: "process_starts", event_id, eta: null };
    else if (event.type === "progress") yield { msg: "progress", event_id, progress_data: [progress(event)] };
    else if (isTerminal(event.type as JobWithResults["status"])) {
      const ended = await getJob(services.db, { tenant: job.tenant }, job.id);
      yield await completed(services, ended, fn, origin, event_id);
    }
  }
}

async function estimation(services: Services, job: JobWithResults, event_id: string): Promise<Message> {
  const estimate = await estimateJob(services.db, { tenant: job.tenant }, job.id, services.nodes.permits);
  const rank = estimate.position;
  return { msg: "estimation", event_id, rank, queue_size: rank + 1, rank_eta: estimate.startsInSeconds };
}

function progress({ data }: JobEvent) {
  const steps = Number(data.steps ?? 0);
  return {
    index: steps > 0 ? Number(data.step) : null,
    length: steps > 0 ? steps : null,
    unit: "steps",
    progress: Number(data.fraction ?? 0),
    desc: STAGE_NAMES[String(data.stage)] ?? String(data.stage ?? ""),
  };
}

async function completed(
  services: Services,
  job: JobWithResults,
  fn: GradioFunction,
  origin: string,
  event_id: string,
): Promise<Message> {
  const duration = ((job.completedAt ?? 0) - (job.startedAt ?? job.completedAt ?? 0)) / 1000;
  const common = { is_generating: false, duration, average_duration: duration, render_config: null };
  if (job.status !== "succeeded")
    return {
      msg: "process_completed",
      event_id,
      success: false,
      title: "Error",
      output: { error: failureText(job), visible: true, duration: 10 },
    };
  const data = await outputData(services, job, fn, origin);
  return {
    msg: "process_completed",
    event_id,
    success: true,
    title: null,
    output: { data, ...common, changed_state_ids: [] },
  };
}

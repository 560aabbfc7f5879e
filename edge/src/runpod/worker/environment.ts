import { z } from "zod";

const WorkerEnvironment = z.object({
  RUNPOD_WEBHOOK_GET_JOB: z.url(),
  RUNPOD_WEBHOOK_POST_OUTPUT: z.url(),
  RUNPOD_WEBHOOK_POST_STREAM: z.url().optional(),
  RUNPOD_WEBHOOK_PING: z.url().optional(),
  RUNPOD_PING_INTERVAL: z.coerce.number().int().min(100).default(10_000),
  RUNPOD_AI_API_KEY: z.string().default(""),
  RUNPOD_POD_ID: z.string().default(() => crypto.randomUUID()),
  RUNPOD_ENDPOINT_ID: z.string().optional(),
  RUNPOD_POD_HOSTNAME: z.string().default("unknown"),
});

/** Where RunPod wants a worker to take jobs and leave results; every address with the worker's id filled in. */
export interface WorkerSettings {
  workerId: string;
  hostname: string;
  apiKey: string;
  takeUrl: string;
  stopUrl?: string;
  /** `$ID` stands for the job. */
  outputUrl: string;
  streamUrl?: string;
  pingUrl?: string;
  pingIntervalMs: number;
}

/**
 * Reads RunPod's variables (source of the names: runpod-python 1.12.0).
 * @throws Error that lists every variable that is missing or malformed
 */
export function workerSettings(env: Record<string, string | undefined>): WorkerSettings {
  const parsed = WorkerEnvironment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`not a RunPod worker's environment: ${problems.join("; ")}`);
  }
  const given = parsed.data;
  const worker = (url: string) => url.replaceAll("$RUNPOD_POD_ID", given.RUNPOD_POD_ID);
  const takeUrl = worker(given.RUNPOD_WEBHOOK_GET_JOB).replaceAll("$ID", given.RUNPOD_POD_ID);
  return {
    workerId: given.RUNPOD_POD_ID,
    hostname: given.RUNPOD_POD_HOSTNAME,
    apiKey: given.RUNPOD_AI_API_KEY,
    takeUrl,
    stopUrl: takeUrl.includes("/job-take/") ? takeUrl.replace("/job-take/", "/job-stop/") : undefined,
    outputUrl: worker(given.RUNPOD_WEBHOOK_POST_OUTPUT),
    streamUrl: given.RUNPOD_WEBHOOK_POST_STREAM && worker(given.RUNPOD_WEBHOOK_POST_STREAM),
    pingUrl: given.RUNPOD_WEBHOOK_PING && worker(given.RUNPOD_WEBHOOK_PING),
    pingIntervalMs: given.RUNPOD_PING_INTERVAL,
  };
}

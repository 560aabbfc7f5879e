import type { WorkerSettings } from "./environment.ts";
import { pause, RunpodProtocol, type TakenJob } from "./protocol.ts";

/** What a job's handler may do while it runs. */
export interface JobContext {
  signal: AbortSignal;
  progress(payload: unknown): void;
  stream(chunk: unknown): void;
}

/** Answers a job. `refresh` asks for a fresh worker after it; an error that is thrown fails the job. */
export type Handler = (
  job: TakenJob,
  context: JobContext,
) => Promise<{ output?: unknown; error?: Error; refresh?: boolean }>;

/** A check that must pass before the first job is taken. */
export interface FitnessCheck {
  name: string;
  run(): Promise<void>;
}

export interface WorkerOptions {
  settings: WorkerSettings;
  handler: Handler;
  concurrency: number;
  checks: FitnessCheck[];
  log(line: { requestId?: string; level: "info" | "warn" | "error"; message: string }): void;
}

/** Runs until `signal` fires; jobs under way are then finished. Throws when a fitness check fails. */
export async function runWorker(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const protocol = new RunpodProtocol(options.settings);
  const running = new Map<string, AbortController>();
  const tasks = new Set<Promise<void>>();
  await checkFitness(options, protocol);

  const pings = setInterval(() => {
    protocol.ping([...running.keys()]).catch((error: Error) => {
      options.log({ level: "warn", message: `ping failed: ${error.message}` });
    });
  }, options.settings.pingIntervalMs);
  const stops = watchStops(protocol, running, signal);

  const start = (job: TakenJob) => {
    const controller = new AbortController();
    running.set(job.id, controller);
    const task = runJob(options, protocol, job, controller.signal).finally(() => {
      running.delete(job.id);
      tasks.delete(task);
    });
    tasks.add(task);
  };

  while (!signal.aborted) {
    const free = options.concurrency - running.size;
    if (free <= 0) {
      await Promise.race([...tasks]);
      continue;
    }
    try {
      for (const job of await protocol.take(free, running.size > 0, signal)) start(job);
    } catch (error) {
      if (signal.aborted) break;
      options.log({ level: "warn", message: `taking jobs failed: ${String(error)}` });
      await pause(1000, signal);
    }
  }
  await Promise.allSettled([...tasks]);
  clearInterval(pings);
  await stops;
}

async function checkFitness(options: WorkerOptions, protocol: RunpodProtocol): Promise<void> {
  for (const check of options.checks) {
    try {
      await check.run();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      await protocol.ping([], { check: check.name, reason }).catch(() => {});
      throw new Error(`fitness check ${check.name} failed: ${reason}`);
    }
  }
}

async function watchStops(
  protocol: RunpodProtocol,
  running: Map<string, AbortController>,
  signal: AbortSignal,
) {
  while (!signal.aborted) {
    try {
      for (const id of await protocol.stops(signal)) running.get(id)?.abort();
    } catch {
      await pause(1000, signal);
    }
    await pause(50, signal);
  }
}

async function runJob(options: WorkerOptions, protocol: RunpodProtocol, job: TakenJob, signal: AbortSignal) {
  // Progress and result share one address: a late progress must never land after the result.
  let posts = Promise.resolve();
  let streamed = false;
  let over = false;
  const inOrder = (post: () => Promise<void>) => {
    if (over) return;
    posts = posts.then(post).catch((error: Error) => {
      options.log({ requestId: job.id, level: "warn", message: error.message });
    });
  };
  let body: object;
  try {
    const answer = await options.handler(job, {
      signal,
      progress: (payload) => inOrder(() => protocol.progress(job, payload)),
      stream: (chunk) => {
        streamed = true;
        inOrder(() => protocol.chunk(job, chunk));
      },
    });
    body = {
      ...(answer.output === undefined ? {} : { output: answer.output }),
      ...(answer.error === undefined ? {} : { error: errorText(answer.error, options.settings) }),
      ...(answer.refresh ? { stopPod: true } : {}),
    };
  } catch (error) {
    body = { error: errorText(error, options.settings) };
  }
  over = true;
  await posts;
  try {
    await protocol.result(job, body, streamed);
    options.log({ requestId: job.id, level: "info", message: "finished" });
  } catch (error) {
    options.log({ requestId: job.id, level: "error", message: String(error) });
  }
}

/** The official worker's error: a JSON string, since clients type `error` as a string. */
function errorText(error: unknown, settings: WorkerSettings): string {
  const known = error instanceof Error ? error : new Error(String(error));
  return JSON.stringify({
    error_type: known.name,
    error_message: known.message,
    error_traceback: "",
    hostname: settings.hostname,
    worker_id: settings.workerId,
    runpod_version: "cartoon 6.0.0",
  });
}

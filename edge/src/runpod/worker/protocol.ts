import type { WorkerSettings } from "./environment.ts";

export interface TakenJob {
  id: string;
  input: unknown;
  [extra: string]: unknown;
}

const TAKE_TIMEOUT_MS = 90_000;
const BACK_OFF_MS = 5_000;
const RESULT_TRIES = 8;

/** Version that pings carry; RunPod shows it beside the worker. */
export const PROTOCOL_VERSION = "1.12.0";

/**
 * RunPod's worker protocol over HTTP, one function a call.
 * Source of the format: runpod-python 1.12.0, `serverless/modules/{rp_job,rp_http,rp_ping}.py`.
 */
export class RunpodProtocol {
  private readonly settings: WorkerSettings;

  constructor(settings: WorkerSettings) {
    this.settings = settings;
  }

  /** Long-polls for up to `count` jobs; an empty list when there is none or the server asked to slow down. */
  async take(count: number, busy: boolean, signal: AbortSignal): Promise<TakenJob[]> {
    const base =
      count > 1
        ? `${this.settings.takeUrl.replace("/job-take/", "/job-take-batch/")}&batch_size=${count}`
        : this.settings.takeUrl;
    const response = await this.get(`${base}&job_in_progress=${busy ? 1 : 0}`, TAKE_TIMEOUT_MS, signal);
    if (response.status === 429) await pause(BACK_OFF_MS, signal);
    const body = await jsonOf(response);
    const jobs = Array.isArray(body) ? body : body ? [body] : [];
    return jobs.filter(isJob);
  }

  /** Ids of running jobs that were cancelled or ran out of time. */
  async stops(signal: AbortSignal): Promise<string[]> {
    if (!this.settings.stopUrl) return [];
    const response = await this.get(this.settings.stopUrl, TAKE_TIMEOUT_MS, signal);
    if (response.status === 429) await pause(BACK_OFF_MS, signal);
    const body = await jsonOf(response);
    const ids = isRecord(body) && Array.isArray(body.jobsToStop) ? body.jobsToStop : [];
    return ids.filter((id): id is string => typeof id === "string");
  }

  /** Posts the final body. Tries far longer than the official worker, which loses the result after three. */
  async result(job: TakenJob, body: object, streamed: boolean): Promise<void> {
    await this.post(this.settings.outputUrl, job, body, streamed, RESULT_TRIES);
  }

  async progress(job: TakenJob, output: unknown): Promise<void> {
    await this.post(this.settings.outputUrl, job, { status: "IN_PROGRESS", output }, false, 1);
  }

  async chunk(job: TakenJob, output: unknown): Promise<void> {
    if (this.settings.streamUrl) await this.post(this.settings.streamUrl, job, { output }, false, 3);
  }

  async ping(jobIds: string[], health?: { check: string; reason: string }): Promise<void> {
    if (!this.settings.pingUrl) return;
    const url = new URL(this.settings.pingUrl);
    if (jobIds.length > 0) url.searchParams.set("job_id", jobIds.join(","));
    url.searchParams.set("runpod_version", PROTOCOL_VERSION);
    if (health) {
      url.searchParams.set("status", "unhealthy");
      url.searchParams.set("check", health.check);
      url.searchParams.set("reason", health.reason);
    }
    await this.get(url.href, this.settings.pingIntervalMs * 2);
  }

  private get(url: string, timeoutMs: number, signal?: AbortSignal): Promise<Response> {
    const timeout = AbortSignal.timeout(timeoutMs);
    return fetch(url, {
      headers: this.settings.apiKey ? { authorization: this.settings.apiKey } : {},
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  }

  private async post(
    template: string,
    job: TakenJob,
    body: object,
    streamed: boolean,
    tries: number,
  ): Promise<void> {
    const url = `${template.replaceAll("$ID", job.id)}&isStream=${streamed}`;
    let problem = "";
    for (let attempt = 1; attempt <= tries; attempt++) {
      try {
        const response = await fetch(url, {
          method: "POST",
          headers: {
            // JSON under a form's content type is what the platform expects.
            "content-type": "application/x-www-form-urlencoded",
            charset: "utf-8",
            "x-request-id": job.id,
            ...(this.settings.apiKey ? { authorization: this.settings.apiKey } : {}),
          },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(60_000),
        });
        if (response.ok) return;
        problem = `HTTP ${response.status}`;
        if (response.status === 404) break;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      if (attempt < tries) await pause(Math.min(30_000, 250 * 2 ** attempt));
    }
    throw new Error(`RunPod did not take the result of ${job.id}: ${problem}`);
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  const type = response.headers.get("content-type") ?? "";
  if (response.status !== 200 || !type.includes("application/json")) {
    await response.body?.cancel();
    return undefined;
  }
  return response.json().catch(() => undefined);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isJob(value: unknown): value is TakenJob {
  return isRecord(value) && typeof value.id === "string" && "input" in value;
}

export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

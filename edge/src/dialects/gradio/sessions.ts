import type { GradioFunction } from "./functions.ts";

export interface SessionJob {
  jobId: string;
  fn: GradioFunction;
}

/** Sessions that are forgotten first when there are more than this. */
const MAX_SESSIONS = 10_000;

/**
 * The jobs that a client's session waits for. They live in this process only, as Gradio's do: the jobs themselves
 * are durable, and `/gradio_api/call/{fn}/{event_id}` finds them from anywhere.
 */
export class GradioSessions {
  readonly #jobs = new Map<string, SessionJob[]>();

  add(tenant: string, session: string, job: SessionJob): void {
    const key = `${tenant} ${session}`;
    this.#jobs.set(key, [...(this.#jobs.get(key) ?? []), job]);
    const [oldest] = this.#jobs.keys();
    if (this.#jobs.size > MAX_SESSIONS && oldest !== undefined) this.#jobs.delete(oldest);
  }

  /** Takes what waits; each job is handed to one stream. */
  take(tenant: string, session: string): SessionJob[] {
    const key = `${tenant} ${session}`;
    const jobs = this.#jobs.get(key) ?? [];
    this.#jobs.delete(key);
    return jobs;
  }
}

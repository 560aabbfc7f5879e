import { statusBody } from "./client-api.ts";
import type { SimulatedJob } from "./queue.ts";

const TRIES = 3;
const PAUSE_MS = 10_000;

/** Calls the job's webhook: wants exactly 200, tries twice more with ten seconds between, unsigned, on failure too. */
export async function deliver(job: SimulatedJob, pauseMs = PAUSE_MS): Promise<boolean> {
  if (!job.webhook) return false;
  const body = JSON.stringify({ ...statusBody(job), input: job.input, webhook: job.webhook });
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      const response = await fetch(job.webhook, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(PAUSE_MS),
      });
      if (response.status === 200) return true;
    } catch {
      // A refused connection counts as a try like any other.
    }
    if (attempt < TRIES) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return false;
}

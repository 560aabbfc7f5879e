import type { Dice } from "./random.ts";

/** A job that an edge has accepted: what the checks go through. */
export interface AcceptedJob {
  id: string;
  /** Which of the few different renders it is; equal ones must have equal results. */
  kind: number;
  cancelAsked: boolean;
}

/** How many different renders there are, and the kind of a storyboard of two of them. */
export const KINDS = 4;
const STORYBOARD = KINDS;
/** One in so many jobs is a storyboard. */
const STORYBOARD_EVERY = 10;
const kindOf = (i: number) => (i % STORYBOARD_EVERY === STORYBOARD_EVERY - 1 ? STORYBOARD : i % KINDS);
const REQUEST_TIMEOUT_MS = 8_000;
const RETRY_MS = 100;

const requestOf = (kind: number) => ({
  clip: {
    prompt: `temo number ${kind}`,
    characters: kind % 2 === 0 ? ["temo"] : ["temo", "felfel"],
    width: 64,
    height: 64,
    num_frames: 8,
    num_inference_steps: 12,
    seed: kind,
  },
  output: { formats: ["poster", "gif"] },
  priority: (["low", "normal", "high"] as const)[kind % 3],
});

const storyboard = {
  shots: [0, 1].map((kind) => {
    const { prompt, characters, seed } = requestOf(kind).clip;
    return { prompt, characters, seed };
  }),
  clip: { width: 64, height: 64, num_frames: 8, num_inference_steps: 2 },
  transition: "crossfade",
  output: { formats: ["poster", "gif"] },
};

/** Submits under an idempotency key until an edge has accepted; whatever else happens it is one job. */
export async function submit(url: string, key: string, kind: number): Promise<AcceptedJob> {
  const isBoard = kind === STORYBOARD;
  const body = JSON.stringify(isBoard ? storyboard : requestOf(kind));
  const path = isBoard ? "/v1/storyboards" : "/v1/renders";
  const headers = { "content-type": "application/json", "idempotency-key": key };
  for (;;) {
    const answer = await ask(url + path, { method: "POST", headers, body });
    if (answer && answer.status < 300) return { id: String(answer.body.id), kind, cancelAsked: false };
    if (answer && answer.status < 500 && answer.status !== 429)
      throw new Error(`a submission was refused: ${answer.status} ${JSON.stringify(answer.body)}`);
    await Bun.sleep(RETRY_MS);
  }
}

/** Asks for a job's end, until an edge has heard it. */
export async function cancelJob(url: string, job: AcceptedJob): Promise<void> {
  job.cancelAsked = true;
  for (;;) {
    const answer = await ask(`${url}/v1/renders/${job.id}/cancel`, { method: "POST" });
    if (answer && answer.status < 500) return;
    await Bun.sleep(RETRY_MS);
  }
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** An answer, or undefined where the connection broke. */
async function ask(url: string, init: RequestInit): Promise<Answer | undefined> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

export interface LoadOptions {
  url: string;
  jobs: number;
  /** Spread over this long. */
  overMs: number;
  dice: Dice;
  onAccepted: (job: AcceptedJob, index: number) => void;
}

const CANCELED_PART = 0.06;

/** Submits jobs evenly over a time, and cancels a few of them. Resolves when every one has been accepted. */
export async function submitAll({
  url,
  jobs,
  overMs,
  dice,
  onAccepted,
}: LoadOptions): Promise<AcceptedJob[]> {
  const run = crypto.randomUUID();
  const one = async (i: number): Promise<AcceptedJob> => {
    await Bun.sleep((overMs * i) / jobs);
    const job = await submit(url, `${run}-${i}`, kindOf(i));
    onAccepted(job, i);
    if (dice.next() < CANCELED_PART) {
      await Bun.sleep(dice.between(0, 1_500));
      await cancelJob(url, job);
    }
    return job;
  };
  return Promise.all(Array.from({ length: jobs }, (_, i) => one(i)));
}

/** Follows a job's events as a browser does, with `Last-Event-ID` over every break. Returns the numbers it saw. */
export async function watch(url: string, id: string, signal: AbortSignal): Promise<number[]> {
  const seen: number[] = [];
  while (!signal.aborted) {
    try {
      const last = seen.at(-1);
      const headers = { ...(last === undefined ? {} : { "last-event-id": String(last) }) };
      const response = await fetch(`${url}/v1/renders/${id}/events`, { headers, signal });
      if (!response.ok || !response.body) throw new Error(String(response.status));
      let text = "";
      const decoder = new TextDecoder();
      for await (const chunk of response.body) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const number = /^id: (\d+)$/m.exec(block)?.[1];
          if (number !== undefined) seen.push(Number(number));
          if (/^event: (succeeded|failed|canceled|timed_out)$/m.test(block)) return seen;
        }
      }
    } catch {
      // The edge or the way to it is gone for now.
    }
    await Bun.sleep(RETRY_MS);
  }
  return seen;
}

import {
  type Database,
  eventsAfter,
  getJob,
  type Job,
  type JobEvent,
  type JobWithResults,
} from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";

const PAGE = 200;
/** Looks again this often although nobody woke us: the safety net for a lost notification. */
const SAFETY_POLL_MS = 2_000;

type Listener = () => void;

/** Wakes whoever waits for a job, once per change in the database, from whatever process it came. */
export class JobSignals {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #unsubscribe: () => void;

  constructor(db: Database) {
    this.#unsubscribe = db.subscribe((wake) => {
      if (wake.type === "poll")
        for (const set of this.#listeners.values()) for (const wakeUp of set) wakeUp();
      else if ("jobId" in wake) for (const wakeUp of this.#listeners.get(wake.jobId) ?? []) wakeUp();
    });
  }

  on(jobId: string, listener: Listener): () => void {
    const set = this.#listeners.get(jobId) ?? new Set();
    this.#listeners.set(jobId, set.add(listener));
    return () => {
      set.delete(listener);
      if (set.size === 0) this.#listeners.delete(jobId);
    };
  }

  /** Resolves at the next change, after `ms`, or when the signal fires; which of them does not matter. */
  async next(jobId: string, ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        off();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      const off = this.on(jobId, done);
      signal?.addEventListener("abort", done);
    });
  }

  close(): void {
    this.#unsubscribe();
    for (const set of this.#listeners.values()) for (const wakeUp of [...set]) wakeUp();
    this.#listeners.clear();
  }
}

/** The job as it is once it is terminal, or as it is after `waitMs`. */
export async function waitForJob(
  db: Database,
  signals: JobSignals,
  job: JobWithResults,
  waitMs: number,
  signal?: AbortSignal,
): Promise<JobWithResults> {
  const until = Date.now() + waitMs;
  let latest = job;
  while (!isTerminal(latest.status) && Date.now() < until && !signal?.aborted) {
    // Subscribed before the read, so that a change between the two is not missed.
    const changed = signals.next(job.id, Math.min(SAFETY_POLL_MS, until - Date.now()), signal);
    latest = await getJob(db, { tenant: job.tenant }, job.id);
    if (isTerminal(latest.status)) break;
    await changed;
  }
  return latest;
}

const inFlight = new WeakMap<Database, Map<string, Promise<JobEvent[]>>>();

/** Watchers of one job that have come equally far share one read, and the very same event objects. */
function sharedEventsAfter(db: Database, jobId: string, afterSeq: number): Promise<JobEvent[]> {
  const reads = inFlight.get(db) ?? new Map<string, Promise<JobEvent[]>>();
  inFlight.set(db, reads);
  const key = `${jobId} ${afterSeq}`;
  const known = reads.get(key);
  if (known) return known;
  // Not started in this turn of the event loop: everyone whom the same change has woken gets to ask first.
  const read = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    reads.delete(key);
    return eventsAfter(db, jobId, afterSeq, PAGE);
  });
  reads.set(key, read);
  return read;
}

/** Events after `afterSeq`, past ones first, until the terminal one. Yields undefined after each `idleMs` of silence. */
export async function* followEvents(
  db: Database,
  signals: JobSignals,
  job: Job,
  options: { afterSeq: number; idleMs: number; signal: AbortSignal },
): AsyncGenerator<JobEvent | undefined> {
  let seq = options.afterSeq;
  let quietSince = Date.now();
  while (!options.signal.aborted) {
    const cancel = new AbortController();
    const changed = signals.next(job.id, SAFETY_POLL_MS, AbortSignal.any([cancel.signal, options.signal]));
    const events = await sharedEventsAfter(db, job.id, seq);
    for (const event of events) {
      seq = event.seq;
      quietSince = Date.now();
      yield event;
      if (options.signal.aborted) break;
    }
    if (events.length === 0) {
      const read = await getJob(db, { tenant: job.tenant }, job.id);
      if (isTerminal(read.status) && read.eventSeq <= seq) return cancel.abort();
      if (Date.now() - quietSince >= options.idleMs) {
        quietSince = Date.now();
        yield undefined;
      }
      await changed;
    }
    cancel.abort();
  }
}

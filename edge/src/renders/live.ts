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
  readonly #safety: ReturnType<typeof setInterval>;

  constructor(db: Database) {
    this.#unsubscribe = db.subscribe((wake) => {
      if (wake.type === "poll") this.#wakeAll();
      else if ("jobId" in wake) for (const wakeUp of this.#listeners.get(wake.jobId) ?? []) wakeUp();
    });
    // All at the same moment, so that those who watch the same job share their reads.
    this.#safety = setInterval(() => this.#wakeAll(), SAFETY_POLL_MS);
    (this.#safety as { unref?: () => void }).unref?.();
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
    clearInterval(this.#safety);
    this.#wakeAll();
    this.#listeners.clear();
  }

  #wakeAll(): void {
    for (const set of [...this.#listeners.values()]) for (const wakeUp of [...set]) wakeUp();
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

const inFlight = new WeakMap<Database, Map<string, Promise<unknown>>>();

/** Whoever asks for the same thing before it is read gets the very same answer. */
function shared<T>(db: Database, name: string, read: () => Promise<T>): Promise<T> {
  const reads = inFlight.get(db) ?? new Map<string, Promise<unknown>>();
  inFlight.set(db, reads);
  const known = reads.get(name);
  if (known) return known as Promise<T>;
  // Not started in this turn of the event loop: everyone whom the same change has woken gets to ask first.
  const reading = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    reads.delete(name);
    return read();
  });
  reads.set(name, reading);
  return reading;
}

/** Lets one watcher sleep until its job changes. A change that comes while it is awake is not missed. */
class Alarm {
  #rung = false;
  #wake: (() => void) | undefined;

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  reset(): void {
    this.#rung = false;
  }

  /** Resolves at once when it has rung since it was reset. */
  async rung(): Promise<void> {
    if (this.#rung) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}

/** Events after `afterSeq`, past ones first, until the terminal one. Yields undefined after each `idleMs` of silence. */
export async function* followEvents(
  db: Database,
  signals: JobSignals,
  job: Job,
  options: { afterSeq: number; idleMs: number; signal: AbortSignal },
): AsyncGenerator<JobEvent | undefined> {
  const { signal, idleMs } = options;
  const alarm = new Alarm();
  const off = signals.on(job.id, alarm.ring);
  signal.addEventListener("abort", alarm.ring);
  let seq = options.afterSeq;
  let quietSince = Date.now();
  try {
    while (!signal.aborted) {
      // Before the reads, so that a change between them and the wait is not missed.
      alarm.reset();
      const events = await shared(db, `${job.id} ${seq}`, () => eventsAfter(db, job.id, seq, PAGE));
      for (const event of events) {
        seq = event.seq;
        quietSince = Date.now();
        yield event;
        if (signal.aborted) return;
      }
      if (events.length > 0) continue;
      const read = await shared(db, job.id, () => getJob(db, { tenant: job.tenant }, job.id));
      if (isTerminal(read.status) && read.eventSeq <= seq) return;
      if (Date.now() - quietSince >= idleMs) {
        quietSince = Date.now();
        yield undefined;
      }
      await alarm.rung();
    }
  } finally {
    off();
    signal.removeEventListener("abort", alarm.ring);
  }
}

import { and, desc, eq, gt, isNotNull, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { rows, type Tx, type Verb } from "../verb.ts";
import { findJob, type Reader } from "./find.ts";
import { type JobRow, PRIORITIES, type Priority } from "./job.ts";

/** Successful jobs that the pace is measured from: the newest ones, so that a faster node soon shows. */
const HISTORY = 50;

/** Of these, how many of the most similar size tell how much memory a job needs. */
const SIMILAR = 5;

/** A look at a deep queue goes no further than this many jobs. */
const COUNTED = 5_000;

export interface QueueEstimate {
  /** Jobs that leave the queue before this one, counted up to 5,000; 0 also when it no longer waits. */
  position: number;
  /** Until it starts and until it is done. `null` while no job of this pack has been measured yet. */
  startsInSeconds: number | null;
  finishesInSeconds: number | null;
  /** Measured device seconds per unit of `work`. */
  secondsPerWork: number | null;
  /** Most memory of a GPU that the jobs of the most similar size had in use; `null` while none ran on a GPU. */
  gpuMemoryBytes: number | null;
}

/**
 * Where a job stands in the queue, and when it is likely to be done.
 *
 * @param permits jobs that the pool runs at once
 * @throws VerbError `not_found`
 */
export function estimateJob(
  db: Database,
  reader: Reader,
  id: string,
  permits: number,
): Promise<QueueEstimate> {
  return db.read(function* (tx): Verb<QueueEstimate> {
    const { jobs } = tx.t;
    const job = yield* findJob(tx, reader, id);
    const pace = yield* measured(tx, job);
    if (job.status !== "queued")
      return estimate({ jobs: 0, work: 0 }, 0, job.work * (1 - job.progress), pace, permits);
    const higher = gt(jobs.priority, job.priority);
    const earlier = sql`(${jobs.share}, ${jobs.id}) < (${job.share}, ${job.id})`;
    const ahead = yield* waiting(tx, [higher, and(eq(jobs.priority, job.priority), earlier)]);
    return estimate(ahead, yield* runningWork(tx), job.work, pace, permits);
  });
}

/** Where a job that does not exist yet would stand; an upper bound, as fair shares may let it in earlier. */
export function estimateNew(
  db: Database,
  job: { pack: string; work: number; priority?: Priority },
  permits: number,
): Promise<QueueEstimate> {
  return db.read(function* (tx): Verb<QueueEstimate> {
    const atLeast = sql`${tx.t.jobs.priority} >= ${PRIORITIES.indexOf(job.priority ?? "normal")}`;
    const pace = yield* measured(tx, job);
    return estimate(yield* waiting(tx, [atLeast]), yield* runningWork(tx), job.work, pace, permits);
  });
}

function estimate(
  ahead: { jobs: number; work: number },
  running: number,
  work: number,
  { pace, gpuMemoryBytes }: Measured,
  permits: number,
): QueueEstimate {
  const known = { position: ahead.jobs, secondsPerWork: pace, gpuMemoryBytes };
  if (pace === null || permits < 1) return { ...known, startsInSeconds: null, finishesInSeconds: null };
  const startsInSeconds = ((ahead.work + running) * pace) / permits;
  return { ...known, startsInSeconds, finishesInSeconds: startsInSeconds + work * pace };
}

/** Sums over what waits under any of the conditions, one walk along the queue's index for each. */
function* waiting(tx: Tx, conditions: (SQL | undefined)[]): Verb<{ jobs: number; work: number }> {
  const { jobs } = tx.t;
  const total = { jobs: 0, work: 0 };
  for (const condition of conditions) {
    const some = tx.db
      .select({ work: jobs.work })
      .from(jobs)
      .where(and(sql`${jobs.status} = 'queued'`, condition))
      .limit(COUNTED - total.jobs)
      .as("some");
    const sums = {
      jobs: sql`count(*)`.mapWith(Number),
      work: sql`coalesce(sum(${some.work}), 0)`.mapWith(Number),
    };
    const [found] = yield* rows(tx.db.select(sums).from(some));
    total.jobs += found?.jobs ?? 0;
    total.work += found?.work ?? 0;
  }
  return total;
}

function* runningWork(tx: Tx): Verb<number> {
  const { jobs } = tx.t;
  const left = sql`coalesce(sum(${jobs.work} * (1 - ${jobs.progress})), 0)`.mapWith(Number);
  const held = sql`${jobs.status} in ('running', 'committing')`;
  const [found] = yield* rows(tx.db.select({ left }).from(jobs).where(held));
  return found?.left ?? 0;
}

interface Measured {
  /** Seconds per unit of work. */
  pace: number | null;
  gpuMemoryBytes: number | null;
}

/** What the newest successes of a pack took. */
function* measured(tx: Tx, job: { pack: string; work: number }): Verb<Measured> {
  const { jobs } = tx.t;
  const shown: { work: typeof jobs.work; receipt: typeof jobs.receipt } = {
    work: jobs.work,
    receipt: jobs.receipt,
  };
  const succeeded = and(
    isNotNull(jobs.completedAt),
    eq(jobs.status, "succeeded"),
    eq(jobs.pack, job.pack),
    gt(jobs.work, 0),
  );
  const query = tx.db
    .select(shown)
    .from(jobs)
    .where(succeeded)
    .orderBy(desc(jobs.completedAt))
    .limit(HISTORY);
  const found: Pick<JobRow, "work" | "receipt">[] = yield* rows(query);
  const work = found.reduce((sum, row) => sum + row.work, 0);
  const seconds = found.reduce((sum, row) => sum + (row.receipt?.deviceSeconds ?? 0), 0);
  return { pace: work > 0 ? seconds / work : null, gpuMemoryBytes: memoryOfSimilar(found, job.work) };
}

function memoryOfSimilar(found: readonly Pick<JobRow, "work" | "receipt">[], work: number): number | null {
  const distance = (row: { work: number }) => Math.abs(Math.log1p(row.work) - Math.log1p(work));
  const onGpu = found.filter(({ receipt }) => (receipt?.gpuMemoryBytes ?? 0) > 0);
  const similar = onGpu.toSorted((a, b) => distance(a) - distance(b)).slice(0, SIMILAR);
  if (similar.length === 0) return null;
  return Math.max(...similar.map(({ receipt }) => receipt?.gpuMemoryBytes ?? 0));
}

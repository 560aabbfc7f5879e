import type { JobStatus } from "@cartoon/protos";
import { and, asc, desc, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { findJob, type Reader } from "../jobs/find.ts";
import { type JobWithResults, resultsOf, shownResults } from "../jobs/get.ts";
import { type Job, type JobResult, toJob } from "../jobs/job.ts";
import { cursorAfter, DEFAULT_PAGE, MAX_PAGE, readCursor } from "../jobs/list.ts";
import { rows, type Tx, type Verb } from "../verb.ts";
import { shotsOf, WAITING } from "./shots.ts";

/** A storyboard with its shots in their order. */
export interface Storyboard<J extends Job = JobWithResults> {
  board: J;
  /** True until every shot is done: what is left after that is the join. */
  waiting: boolean;
  shots: J[];
}

/** @throws VerbError `not_found`, also for another tenant's storyboard and for a job that is none */
export function getStoryboard(db: Database, reader: Reader, id: string): Promise<Storyboard> {
  return db.read(function* (tx): Verb<Storyboard> {
    const row = yield* findJob(tx, reader, id);
    if (!row.spec.join) throw new VerbError("not_found", `The job ${row.id} is no storyboard.`);
    const shots: JobWithResults[] = [];
    for (const shot of yield* shotsOf(tx, row.id))
      shots.push({ ...toJob(shot), results: yield* shownResults(tx, shot) });
    return {
      board: { ...toJob(row), results: yield* shownResults(tx, row) },
      waiting: row.status === WAITING,
      shots,
    };
  });
}

/** Results of a storyboard's shots in their order, for the dispatcher. */
export function shotResults(db: Database, boardId: string): Promise<{ id: string; results: JobResult[] }[]> {
  return db.read(function* (tx): Verb<{ id: string; results: JobResult[] }[]> {
    const found: { id: string; results: JobResult[] }[] = [];
    for (const { id } of yield* shotsOf(tx, boardId)) found.push({ id, results: yield* resultsOf(tx, id) });
    return found;
  });
}

export interface StoryboardPage {
  storyboards: Storyboard<Job>[];
  nextCursor: string | null;
}

/**
 * Storyboards, newest first, without results.
 *
 * @throws VerbError `invalid_input` when the cursor is none of ours
 */
export function listStoryboards(
  db: Database,
  reader: Reader,
  options: { limit?: number; cursor?: string; status?: JobStatus } = {},
): Promise<StoryboardPage> {
  const limit = Math.min(MAX_PAGE, Math.max(1, options.limit ?? DEFAULT_PAGE));
  return db.read(function* (tx): Verb<StoryboardPage> {
    const { jobs } = tx.t;
    const after = options.cursor === undefined ? undefined : readCursor(options.cursor);
    const states = options.status === "queued" ? ["queued", WAITING] : options.status && [options.status];
    // A literal, so that both databases see that the partial index applies.
    const conditions = and(
      sql`${jobs.dialect} = 'storyboard'`,
      "operator" in reader ? undefined : eq(jobs.tenant, reader.tenant),
      states && inArray(jobs.status, states),
      after && sql`(${jobs.createdAt}, ${jobs.id}) < (${after.at}, ${after.id})`,
    );
    const query = tx.db.select().from(jobs).where(conditions);
    const found = yield* rows(query.orderBy(desc(jobs.createdAt), desc(jobs.id)).limit(limit + 1));
    const page = found.slice(0, limit);
    const shots = yield* shotsOfAll(
      tx,
      page.map(({ id }) => id),
    );
    const last = page.at(-1);
    return {
      storyboards: page.map((row) => ({
        board: toJob(row),
        waiting: row.status === WAITING,
        shots: shots.get(row.id) ?? [],
      })),
      nextCursor: found.length > limit && last ? cursorAfter(last) : null,
    };
  });
}

function* shotsOfAll(tx: Tx, boardIds: string[]): Verb<Map<string, Job[]>> {
  const shots = new Map<string, Job[]>();
  if (boardIds.length === 0) return shots;
  const { jobs, storyboardShots } = tx.t;
  const query = tx.db
    .select({ boardId: storyboardShots.boardId, job: jobs })
    .from(storyboardShots)
    .innerJoin(jobs, eq(jobs.id, storyboardShots.jobId))
    .where(inArray(storyboardShots.boardId, boardIds))
    .orderBy(asc(storyboardShots.boardId), asc(storyboardShots.position));
  for (const { boardId, job } of yield* rows(query))
    shots.set(boardId, [...(shots.get(boardId) ?? []), toJob(job)]);
  return shots;
}

import { asc, eq, inArray } from "drizzle-orm";
import type { JobRow } from "../jobs/job.ts";
import { forUpdate, rows, type Tx, type Verb } from "../verb.ts";

/** Dialect of every storyboard, whatever way it came in: the index of the list goes by it. */
export const STORYBOARD = "storyboard";

/** State in the database of a storyboard whose shots are not done: `queued` to the outside, and never leased. */
export const WAITING = "waiting";

/** Share of a storyboard's progress that its shots make; the rest is the join. */
export const SHOTS_PART = 0.95;

/** The storyboard that a job is a shot of. */
export function boardOf(row: Pick<JobRow, "extras">): string | undefined {
  const { storyboard } = row.extras;
  return typeof storyboard === "string" ? storyboard : undefined;
}

/**
 * The shots of a storyboard in their order. Whoever changes shots and storyboard in one transaction locks shots
 * first, by their ids, then the storyboard: so nobody waits in a circle.
 */
export function* shotsOf(tx: Tx, boardId: string, options: { lock?: boolean } = {}): Verb<JobRow[]> {
  const { jobs, storyboardShots } = tx.t;
  const ids = yield* rows(
    tx.db
      .select({ id: storyboardShots.jobId })
      .from(storyboardShots)
      .where(eq(storyboardShots.boardId, boardId))
      .orderBy(asc(storyboardShots.position)),
  );
  if (ids.length === 0) return [];
  const order = new Map(ids.map(({ id }, position) => [id, position]));
  const query = tx.db
    .select()
    .from(jobs)
    .where(inArray(jobs.id, [...order.keys()]))
    .orderBy(asc(jobs.id))
    .$dynamic();
  const shots = yield* rows(options.lock ? forUpdate(tx, query) : query);
  return shots.sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
}

/** The storyboard's own row, locked. */
export function* lockBoard(tx: Tx, boardId: string): Verb<JobRow | undefined> {
  const query = tx.db.select().from(tx.t.jobs).where(eq(tx.t.jobs.id, boardId)).$dynamic();
  const [board] = yield* rows(forUpdate(tx, query));
  return board;
}

import { Buffer } from "node:buffer";
import type { JobStatus } from "@cartoon/protos";
import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { WAITING } from "../storyboards/shots.ts";
import { rows, type Verb } from "../verb.ts";
import type { Reader } from "./find.ts";
import { type Job, type JobRow, toJob } from "./job.ts";

export const MAX_PAGE = 200;
export const DEFAULT_PAGE = 50;

export interface JobPage {
  jobs: Job[];
  /** Give it back for the next page; `null` on the last one. */
  nextCursor: string | null;
}

/**
 * Jobs, newest first.
 *
 * @throws VerbError `invalid_input` when the cursor is none of ours
 */
export function listJobs(
  db: Database,
  reader: Reader,
  options: { status?: JobStatus; limit?: number; cursor?: string; dialect?: string } = {},
): Promise<JobPage> {
  const limit = Math.min(MAX_PAGE, Math.max(1, options.limit ?? DEFAULT_PAGE));
  return db.read(function* (tx): Verb<JobPage> {
    const { jobs } = tx.t;
    const conditions: (SQL | undefined)[] = [
      "operator" in reader ? undefined : eq(jobs.tenant, reader.tenant),
      options.dialect === undefined ? undefined : eq(jobs.dialect, options.dialect),
    ];
    if (options.cursor !== undefined) {
      const { at, id } = readCursor(options.cursor);
      conditions.push(sql`(${jobs.createdAt}, ${jobs.id}) < (${at}, ${id})`);
    }
    const found: JobRow[] = [];
    // One query for each state, so that the index gives each in order.
    const states = options.status === "queued" ? ["queued", WAITING] : [options.status];
    for (const status of states) {
      const query = tx.db
        .select()
        .from(jobs)
        .where(and(status === undefined ? undefined : eq(jobs.status, status), ...conditions));
      found.push(...(yield* rows(query.orderBy(desc(jobs.createdAt), desc(jobs.id)).limit(limit + 1))));
    }
    if (states.length > 1) found.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { jobs: page.map(toJob), nextCursor: found.length > limit && last ? cursorAfter(last) : null };
  });
}

/** The cursor of the page that follows a job. */
export const cursorAfter = (row: { createdAt: number; id: string }) =>
  Buffer.from(`${row.createdAt}.${row.id}`).toString("base64url");

export function readCursor(cursor: string): { at: number; id: string } {
  const [, at, id] = /^(\d{1,15})\.([\w-]{1,128})$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (at === undefined || id === undefined) {
    throw new VerbError("invalid_input", "The cursor is not one that this list has given.", {
      field: "cursor",
    });
  }
  return { at: Number(at), id };
}

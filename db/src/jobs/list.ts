import { Buffer } from "node:buffer";
import type { JobStatus } from "@cartoon/protos";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { selectRows } from "../select-rows.ts";
import { WAITING } from "../storyboards/shots.ts";
import type { Tx, Verb } from "../verb.ts";
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
    const conditions: [text: string, ...params: unknown[]][] = [];
    if (!("operator" in reader)) conditions.push(["tenant = ?", reader.tenant]);
    if (options.dialect !== undefined) conditions.push(["dialect = ?", options.dialect]);
    if (options.cursor !== undefined) {
      const { at, id } = readCursor(options.cursor);
      conditions.push(["(created_at, id) < (?, ?)", at, id]);
    }
    const found: JobRow[] = [];
    // One query for each state, so that the index gives each in order.
    const states = options.status === "queued" ? ["queued", WAITING] : [options.status];
    for (const status of states) found.push(...(yield* newest(tx, conditions, status, limit + 1)));
    if (states.length > 1) found.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { jobs: page.map(toJob), nextCursor: found.length > limit && last ? cursorAfter(last) : null };
  });
}

function newest(
  tx: Tx,
  conditions: [text: string, ...params: unknown[]][],
  status: string | undefined,
  limit: number,
): Verb<JobRow[]> {
  const all = status === undefined ? conditions : [...conditions, ["status = ?", status] as const];
  const where = all.length === 0 ? "" : `where ${all.map(([text]) => text).join(" and ")} `;
  const params = [...all.flatMap(([, ...params]) => params), limit];
  return selectRows(tx, tx.t.jobs, `${where}order by created_at desc, id desc limit ?`, params);
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

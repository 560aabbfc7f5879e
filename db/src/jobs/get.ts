import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { needSealer } from "../secrets/seal.ts";
import { selectRows } from "../select-rows.ts";
import { rows, type Tx, type Verb } from "../verb.ts";
import { findJob, type Reader } from "./find.ts";
import { type Job, type JobResult, toJob } from "./job.ts";

export interface JobWithResults extends Job {
  results: JobResult[];
}

/** States with something to show; a canceled job may have a clip of what there was. */
const SHOWING: ReadonlySet<string> = new Set(["succeeded", "canceled"]);

/** @throws VerbError `not_found`, also for another tenant's job */
export function getJob(db: Database, reader: Reader, id: string): Promise<JobWithResults> {
  return db.read(function* (tx): Verb<JobWithResults> {
    const job = yield* findJob(tx, reader, id);
    return { ...toJob(job), results: yield* shownResults(tx, job) };
  });
}

/** Results of a job in whatever state it is. */
export function* shownResults(tx: Tx, job: { id: string; status: string }): Verb<JobResult[]> {
  return SHOWING.has(job.status) ? yield* resultsOf(tx, job.id) : [];
}

export function* resultsOf(tx: Tx, jobId: string): Verb<JobResult[]> {
  const found = yield* selectRows(tx, tx.t.results, "where job_id = ? order by name", [jobId]);
  return found.map(({ jobId: _, ...result }) => result);
}

export interface JobPreview {
  contentType: string;
  step: number;
  at: number;
  data: Uint8Array;
}

/** The newest preview of a running job, if there is one. */
export function getPreview(db: Database, reader: Reader, id: string): Promise<JobPreview | null> {
  return db.read(function* (tx): Verb<JobPreview | null> {
    const job = yield* findJob(tx, reader, id);
    const [found] = yield* rows(tx.db.select().from(tx.t.previews).where(eq(tx.t.previews.jobId, job.id)));
    if (!found) return null;
    const { jobId: _, ...preview } = found;
    return preview;
  });
}

/** Finished sentences of a dialogue that is being made; null where there are none (yet, or any more). */
export function getSpeechPart(
  db: Database,
  reader: Reader,
  id: string,
  part: number,
): Promise<Omit<JobPreview, "step"> | null> {
  return db.read(function* (tx): Verb<Omit<JobPreview, "step"> | null> {
    const job = yield* findJob(tx, reader, id);
    const { speechParts } = tx.t;
    const wanted = and(eq(speechParts.jobId, job.id), eq(speechParts.part, part));
    const [found] = yield* rows(tx.db.select().from(speechParts).where(wanted));
    return found ? { contentType: found.contentType, at: found.at, data: found.data } : null;
  });
}

/** Opens what was enqueued as `secrets`, for the dispatcher; `null` when there are none (any more). */
export function openSecrets(db: Database, jobId: string): Promise<Record<string, unknown> | null> {
  return db.read(function* (tx): Verb<Record<string, unknown> | null> {
    const { jobs } = tx.t;
    const [job] = yield* rows(tx.db.select({ sealed: jobs.sealed }).from(jobs).where(eq(jobs.id, jobId)));
    if (!job) throw new VerbError("not_found", `There is no job ${jobId}.`);
    return job.sealed === null ? null : JSON.parse(needSealer(db.sealer).open(job.sealed, jobId));
  });
}

import { JOB_STATUSES, type JobStatus } from "@cartoon/protos/job-status";
import { and, count, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { WAITING } from "../storyboards/shots.ts";
import { rows, type Verb } from "../verb.ts";
import type { Reader } from "./find.ts";

/** How many jobs there are in each state. */
export type JobCounts = Record<JobStatus, number>;

/** Jobs by state, of one tenant or of all; of one dialect when it is named. */
export function countJobs(
  db: Database,
  reader: Reader,
  options: { dialect?: string } = {},
): Promise<JobCounts> {
  return db.read(function* (tx): Verb<JobCounts> {
    const { jobs } = tx.t;
    const tenant = "operator" in reader ? undefined : eq(jobs.tenant, reader.tenant);
    const dialect = options.dialect === undefined ? undefined : eq(jobs.dialect, options.dialect);
    const query = tx.db.select({ status: jobs.status, n: count() }).from(jobs).where(and(tenant, dialect));
    const counts = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])) as JobCounts;
    for (const { status, n } of yield* rows(query.groupBy(jobs.status)))
      counts[status === WAITING ? "queued" : (status as JobStatus)] += n;
    return counts;
  });
}

/** Waiting and running jobs per tenant, for the operator. */
export function countByTenant(db: Database): Promise<{ tenant: string; status: JobStatus; jobs: number }[]> {
  return db.read(function* (tx): Verb<{ tenant: string; status: JobStatus; jobs: number }[]> {
    const { jobs } = tx.t;
    const query = tx.db.select({ tenant: jobs.tenant, status: jobs.status, jobs: count() }).from(jobs);
    const found = yield* rows(query.groupBy(jobs.tenant, jobs.status).orderBy(jobs.tenant, jobs.status));
    return found
      .filter(({ status }) => status !== WAITING)
      .map((row) => ({ ...row, status: row.status as JobStatus }));
  });
}

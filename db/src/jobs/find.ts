import { and, eq, inArray, type SQL } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import { CLIENT_ID, idOfAlias } from "../ids.ts";
import { rows, type Tx, type Verb } from "../verb.ts";
import type { JobRow } from "./job.ts";

/** Who asks. An operator sees every tenant's jobs. */
export type Reader = { tenant: string } | { operator: true };

/**
 * Condition for the job that a reader means by `id`: its own id or the one that the client chose. Another tenant's
 * jobs are simply not there.
 */
export function meant(tx: Tx, reader: Reader, id: string): SQL | undefined {
  const { jobs } = tx.t;
  if ("operator" in reader) return eq(jobs.id, id);
  return and(eq(jobs.tenant, reader.tenant), inArray(jobs.id, [id, idOfAlias(reader.tenant, id)]));
}

export function* findJob(tx: Tx, reader: Reader, id: string): Verb<JobRow> {
  if (!CLIENT_ID.test(id)) throw noSuchJob(id);
  const [row] = yield* rows(
    tx.db
      .select()
      .from(tx.t.jobs)
      .where(meant(tx, reader, id))
      .limit(1),
  );
  if (!row) throw noSuchJob(id);
  return row;
}

export function noSuchJob(id: string): VerbError {
  return new VerbError("not_found", `There is no job ${id.slice(0, 128).replace(/[^\w-]/g, "?")}.`);
}

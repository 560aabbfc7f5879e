import { VerbError } from "../errors.ts";
import { CLIENT_ID, idOfAlias } from "../ids.ts";
import { selectRows } from "../select-rows.ts";
import type { Tx, Verb } from "../verb.ts";
import type { JobRow } from "./job.ts";

/** Who asks. An operator sees every tenant's jobs. */
export type Reader = { tenant: string } | { operator: true };

/**
 * The job that a reader means by `id`: its own id or the one that the client chose. Another tenant's jobs are simply
 * not there.
 *
 * @throws VerbError `not_found`
 */
export function* findJob(tx: Tx, reader: Reader, id: string, options: { lock?: boolean } = {}): Verb<JobRow> {
  if (!CLIENT_ID.test(id)) throw noSuchJob(id);
  const ids = "operator" in reader ? [id] : [id, idOfAlias(reader.tenant, id)];
  const lock = options.lock && tx.dialect === "postgres" ? " for update" : "";
  const found = yield* selectRows(
    tx,
    tx.t.jobs,
    `where id in (${ids.map(() => "?").join(", ")})${lock}`,
    ids,
  );
  // Not in the condition: SQLite would walk through all of a tenant's jobs instead of looking up the id.
  const mine = found.filter(({ tenant }) => "operator" in reader || tenant === reader.tenant);
  const row = mine.find((job) => job.id === id) ?? mine[0];
  if (!row) throw noSuchJob(id);
  return row;
}

function noSuchJob(id: string): VerbError {
  return new VerbError("not_found", `There is no job ${id.slice(0, 128).replace(/[^\w-]/g, "?")}.`);
}

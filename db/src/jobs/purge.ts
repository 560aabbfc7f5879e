import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { forUpdate, rows, type Verb } from "../verb.ts";
import { endJob } from "./end.ts";
import type { Reader } from "./find.ts";

const AT_ONCE = 200;

/** Cancels every waiting job of a tenant (of one dialect when it is named) and says how many those were. */
export async function purgeQueue(
  db: Database,
  reader: Reader,
  options: { dialect?: string } = {},
): Promise<number> {
  let removed = 0;
  for (;;) {
    const some = await purgeSome(db, reader, options.dialect);
    removed += some;
    if (some < AT_ONCE) return removed;
  }
}

function purgeSome(db: Database, reader: Reader, dialect: string | undefined): Promise<number> {
  return db.write(function* (tx): Verb<number> {
    const { jobs } = tx.t;
    const whose = "operator" in reader ? undefined : eq(jobs.tenant, reader.tenant);
    const which = dialect === undefined ? undefined : eq(jobs.dialect, dialect);
    const queued = and(sql`${jobs.status} = 'queued'`, whose, which);
    const query = tx.db.select({ id: jobs.id }).from(jobs).where(queued).limit(AT_ONCE).$dynamic();
    const found = yield* rows(forUpdate(tx, query, { skipLocked: true }));
    for (const { id } of found) {
      const ended = { status: "canceled", data: { receipt: null, purged: true } } as const;
      yield* endJob(tx, eq(jobs.id, id), ended, { cancelRequestedAt: tx.now });
    }
    return found.length;
  });
}

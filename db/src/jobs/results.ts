import { eq } from "drizzle-orm";
import { run, type Tx, type Verb } from "../verb.ts";
import type { JobResult } from "./job.ts";

/** A result as events show it: where it lies is nobody's business. */
export function shown({ storageKey: _where, ...result }: JobResult): Omit<JobResult, "storageKey"> {
  return result;
}

/** What a job has to show, in place of what it had before. */
export function* replaceResults(tx: Tx, jobId: string, made: readonly JobResult[]): Verb<void> {
  const { results } = tx.t;
  yield* run(tx.db.delete(results).where(eq(results.jobId, jobId)));
  if (made.length > 0) yield* run(tx.db.insert(results).values(made.map((one) => ({ jobId, ...one }))));
}

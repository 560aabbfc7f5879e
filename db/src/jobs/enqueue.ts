import { isDataError } from "../connection/postgres-errors.ts";
import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { insertRows } from "../insert-rows.ts";
import type { Sealer } from "../secrets/seal.ts";
import type { Tx, Verb } from "../verb.ts";
import { addJobWebhooks } from "../webhooks/job-webhooks.ts";
import { admit } from "./admission.ts";
import { coalesce } from "./coalesce.ts";
import { draftRow, type EnqueueInput } from "./draft.ts";
import { insertAtOnce, isPlain } from "./enqueue-statement.ts";
import { claimKeys, type Draft, findTwins, identitiesOf } from "./idempotency.ts";
import { type Job, toJob } from "./job.ts";
import { nextShares } from "./shares.ts";

export interface Enqueued {
  job: Job;
  /** False when an earlier request had already made the job. */
  created: boolean;
}

type Outcome = Enqueued | VerbError;

/**
 * Puts a job into the queue; resolves when it is durable. Calls that arrive together share a transaction.
 *
 * @throws VerbError `tenant_queue_full`, `queue_full`, `idempotency_mismatch`, `id_taken`, `invalid_input`,
 *   `secret_key_missing`
 */
export async function enqueue(db: Database, input: EnqueueInput): Promise<Enqueued> {
  const outcome = await coalesce(db, enqueueMany, input);
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

/** Puts several jobs into the queue, in one transaction or two; each is taken or refused by itself. */
export async function enqueueMany(db: Database, inputs: EnqueueInput[]): Promise<Outcome[]> {
  const outcomes = new Array<Outcome>(inputs.length);
  if (db.dialect === "postgres") await enqueuePlain(db, inputs, outcomes);
  const left = () => inputs.some((_, index) => outcomes[index] === undefined);
  if (left()) await enqueueLeft(db, inputs, outcomes);
  return outcomes;
}

/** On Postgres: the new jobs that one statement can make. Those that have a twin, or no room, are left. */
async function enqueuePlain(db: Database, inputs: EnqueueInput[], outcomes: Outcome[]): Promise<void> {
  try {
    const made = await db.write(
      function* (tx) {
        const [firsts] = splitRepeats(draftsOf(tx, db.sealer, inputs, outcomes));
        const admitted = yield* admit(tx, firsts.filter(isPlain), () => {});
        const made = yield* insertAtOnce(tx, admitted);
        if (made.length > 0) tx.wake({ type: "queued" });
        return made;
      },
      { single: true },
    );
    for (const { index, row } of made) outcomes[index] = { job: toJob(row), created: true };
  } catch (error) {
    // One of them can't be held: which, shows when each has a statement of its own.
    if (!isDataError(error)) throw error;
  }
}

function enqueueLeft(db: Database, inputs: EnqueueInput[], outcomes: Outcome[]): Promise<void> {
  return db.write(function* (tx) {
    const drafts = draftsOf(tx, db.sealer, inputs, outcomes);
    yield* enqueueDrafts(tx, db.sealer, drafts, outcomes);
    const isNew = ({ index }: Draft) => {
      const outcome = outcomes[index];
      return outcome !== undefined && !(outcome instanceof VerbError) && outcome.created;
    };
    if (drafts.some(isNew)) tx.wake({ type: "queued" });
  });
}

/** Drafts of what has no outcome yet; what can't be a job is refused. */
function draftsOf(tx: Tx, sealer: Sealer | null, inputs: EnqueueInput[], outcomes: Outcome[]): Draft[] {
  const drafts: Draft[] = [];
  inputs.forEach((input, index) => {
    if (outcomes[index] !== undefined) return;
    try {
      drafts.push({ index, input, row: draftRow(tx.now, sealer, input) });
    } catch (error) {
      if (!(error instanceof VerbError)) throw error;
      outcomes[index] = error;
    }
  });
  return drafts;
}

function* enqueueDrafts(tx: Tx, sealer: Sealer | null, drafts: Draft[], outcomes: Outcome[]): Verb<void> {
  const [firsts, repeats] = splitRepeats(drafts);
  const twins = yield* findTwins(tx, firsts);
  for (const [index, twin] of twins)
    outcomes[index] = twin instanceof VerbError ? twin : { job: twin, created: false };
  const fresh = firsts.filter(({ index }) => !twins.has(index));
  const admitted = yield* admit(tx, fresh, (draft, refusal) => {
    outcomes[draft.index] = refusal;
  });
  const claimed = yield* claimKeys(tx, admitted);
  const made = yield* insertJobs(tx, sealer, claimed);
  for (const { index, row } of made) outcomes[index] = { job: toJob(row), created: true };
  // What another process has taken meanwhile, and what repeats an earlier draft of this batch, now has a twin.
  const later = [...admitted.filter((draft) => outcomes[draft.index] === undefined), ...repeats];
  if (later.length > 0) yield* enqueueDrafts(tx, sealer, later, outcomes);
}

function splitRepeats(drafts: Draft[]): [Draft[], Draft[]] {
  const seen = new Set<string>();
  const firsts: Draft[] = [];
  const repeats: Draft[] = [];
  for (const draft of drafts) {
    const identities = identitiesOf(draft);
    (identities.some((identity) => seen.has(identity)) ? repeats : firsts).push(draft);
    for (const identity of identities) seen.add(identity);
  }
  return [firsts, repeats];
}

/** Inserts new jobs with their shares, webhooks and first events; those whose id is taken are left out. */
export function* insertJobs(tx: Tx, sealer: Sealer | null, drafts: Draft[]): Verb<Draft[]> {
  yield* nextShares(
    tx,
    drafts.map(({ row }) => row),
  );
  yield* addJobWebhooks(tx, sealer, drafts);
  const values = drafts.map(({ row }) => row);
  const kept = yield* insertRows(tx, tx.t.jobs, values, "on conflict do nothing returning id");
  const ids = new Set(kept.map(({ id }) => id));
  const made = drafts.filter(({ row }) => ids.has(row.id));
  const events = made.map(({ input, row }) => ({
    jobId: row.id,
    seq: 1,
    type: "queued",
    at: tx.now,
    data: { priority: input.priority ?? "normal" },
  }));
  yield* insertRows(tx, tx.t.jobEvents, events);
  return made;
}

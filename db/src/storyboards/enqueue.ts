import type { Database } from "../database.ts";
import { VerbError } from "../errors.ts";
import { insertRows } from "../insert-rows.ts";
import { admit } from "../jobs/admission.ts";
import { draftRow, type EnqueueInput } from "../jobs/draft.ts";
import { type Enqueued, insertJobs } from "../jobs/enqueue.ts";
import { claimKeys, type Draft, findTwins } from "../jobs/idempotency.ts";
import { toJob } from "../jobs/job.ts";
import type { Tx, Verb } from "../verb.ts";
import { STORYBOARD, WAITING } from "./shots.ts";

export interface StoryboardInput {
  /** The join; `specOf` gets the ids of the shots. */
  board: Omit<EnqueueInput, "spec" | "dialect"> & { specOf: (shotIds: string[]) => EnqueueInput["spec"] };
  shots: EnqueueInput[];
}

/**
 * Puts a storyboard into the queue: a job for each shot, and one that joins them, which waits until they are done.
 * All of them or none.
 *
 * @throws VerbError `tenant_queue_full`, `queue_full`, `idempotency_mismatch`, `id_taken`, `invalid_input`,
 *   `secret_key_missing`
 */
export function enqueueStoryboard(db: Database, input: StoryboardInput): Promise<Enqueued> {
  return db.write(function* (tx): Verb<Enqueued> {
    const shots = input.shots.map((shot, index): Draft => {
      // Until the storyboard has ended its shots are kept; from then on its own time counts.
      const kept = { ...shot, resultsTtlMs: undefined };
      return { index: index + 1, input: kept, row: draftRow(tx.now, db.sealer, kept) };
    });
    const { specOf, ...rest } = input.board;
    const spec = specOf(shots.map(({ row }) => row.id));
    const boardInput = { ...rest, spec, dialect: STORYBOARD };
    const row = draftRow(tx.now, db.sealer, boardInput);
    // The time to wait counts from when there is something to join.
    Object.assign(row, { status: WAITING, queueDeadline: null });
    const board: Draft = { index: 0, input: boardInput, row };
    for (const shot of shots) shot.row.extras = { ...shot.row.extras, storyboard: row.id };
    return yield* takeOrFind(tx, db, board, shots);
  });
}

function* takeOrFind(tx: Tx, db: Database, board: Draft, shots: Draft[]): Verb<Enqueued> {
  const twin = (yield* findTwins(tx, [board])).get(board.index);
  if (twin instanceof VerbError) throw twin;
  if (twin) return { job: twin, created: false };
  yield* admit(tx, [...shots, board], (_, refusal) => {
    throw refusal;
  });
  const claimed = yield* claimKeys(tx, [board]);
  // Another process has taken the key or the id meanwhile.
  if (claimed.length === 0) return yield* takeOrFind(tx, db, board, shots);
  const [made] = yield* insertJobs(tx, db.sealer, [board]);
  if (!made) return yield* takeOrFind(tx, db, board, shots);
  yield* insertJobs(tx, db.sealer, shots);
  const places = shots.map(({ row }, position) => ({ boardId: board.row.id, position, jobId: row.id }));
  yield* insertRows(tx, tx.t.storyboardShots, places);
  tx.wake({ type: "queued" });
  return { job: toJob(board.row), created: true };
}

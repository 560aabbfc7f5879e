import { isTerminal, type JobStatus } from "@cartoon/protos/job-status";
import { and, eq } from "drizzle-orm";
import { VerbError } from "../errors.ts";
import type { JobRow } from "../jobs/job.ts";
import { requeueEnded } from "../jobs/retry.ts";
import { nextShares } from "../jobs/shares.ts";
import { rows, type Tx, type Verb } from "../verb.ts";
import { reopen } from "./follow.ts";
import { lockBoard, SHOTS_PART, shotsOf } from "./shots.ts";

/**
 * Makes an ended storyboard after all: shots that failed, or whose results are gone, are made again, the others stay.
 * Without any such shot the join alone is tried again.
 *
 * @throws VerbError `invalid_transition`
 */
export function* retryStoryboard(tx: Tx, board: JobRow): Verb<JobRow> {
  const refuse = (why: string) => new VerbError("invalid_transition", why, { status: board.status });
  if (!["failed", "timed_out", "canceled"].includes(board.status))
    throw refuse(`The storyboard is ${board.status}.`);
  const shots = yield* shotsOf(tx, board.id, { lock: true });
  const busy = shots.findIndex(({ status }) => !isTerminal(status as JobStatus));
  if (busy !== -1) throw refuse(`Shot ${busy + 1} of the storyboard is ${shots[busy]?.status}.`);
  let again = 0;
  for (const shot of shots) {
    if (shot.status === "succeeded" && (yield* hasClip(tx, shot))) continue;
    again++;
    yield* requeueEnded(tx, shot, { evenSucceeded: true });
  }
  if (again === 0) {
    yield* nextShares(tx, [board]);
    const event = { type: "queued", data: { retry: true } };
    yield* reopen(tx, board, "queued", SHOTS_PART, [event]);
  }
  tx.wake({ type: "queued" });
  const row = yield* lockBoard(tx, board.id);
  if (!row) throw new VerbError("not_found", "The storyboard is gone.");
  return row;
}

function* hasClip(tx: Tx, shot: JobRow): Verb<boolean> {
  const { results } = tx.t;
  const clip = and(eq(results.jobId, shot.id), eq(results.name, "clip.mp4"));
  return (yield* rows(tx.db.select({ name: results.name }).from(results).where(clip))).length > 0;
}

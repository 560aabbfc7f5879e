import { eq } from "drizzle-orm";
import { type CancelOptions, cancelLocked } from "../jobs/cancel.ts";
import type { JobRow } from "../jobs/job.ts";
import { transition } from "../jobs/transition.ts";
import type { Tx, Verb } from "../verb.ts";
import { lockBoard, shotsOf, WAITING } from "./shots.ts";

/**
 * Cancels a storyboard: every shot that has not ended, and then itself. While shots still stop it is marked, and ends
 * with the last of them.
 */
export function* cancelStoryboard(tx: Tx, boardId: string, options: CancelOptions): Verb<JobRow | undefined> {
  const shots = yield* shotsOf(tx, boardId, { lock: true });
  const board = yield* lockBoard(tx, boardId);
  if (board?.status !== WAITING) return board && (yield* cancelLocked(tx, board));
  if (board.cancelRequestedAt === null) {
    const asked = { type: "cancel_requested", data: {} };
    yield* transition(tx, eq(tx.t.jobs.id, boardId), { cancelRequestedAt: tx.now }, [asked]);
  }
  for (const shot of shots) yield* cancelLocked(tx, shot, options);
  return yield* lockBoard(tx, boardId);
}

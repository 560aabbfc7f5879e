import { isTerminal, type JobStatus } from "@cartoon/protos/job-status";
import { and, eq, inArray, sql } from "drizzle-orm";
import { endJob } from "../jobs/end.ts";
import type { NewEvent } from "../jobs/events.ts";
import type { JobRow } from "../jobs/job.ts";
import { transition } from "../jobs/transition.ts";
import { run, type Tx, type Verb } from "../verb.ts";
import { lockBoard, SHOTS_PART, shotsOf, WAITING } from "./shots.ts";

const ENDED = ["succeeded", "failed", "canceled", "timed_out"];
/** What of a shot's life its storyboard tells, as an event `shot`. */
const TOLD = new Set(["queued", "leased", "requeued", ...ENDED]);

/**
 * What a change of a shot means for its storyboard, in the transaction of the change itself: so no death of an edge
 * falls between the two. When the last shot has ended, the storyboard is queued for its join, or ends.
 */
export function* followShot(tx: Tx, shot: JobRow, boardId: string, events: NewEvent[]): Verb<void> {
  const told = events.findLast(({ type }) => TOLD.has(type));
  if (!told) return;
  const board = yield* lockBoard(tx, boardId);
  if (!board) return;
  const shots = yield* shotsOf(tx, board.id);
  const done = shots.filter(({ status }) => status === "succeeded").length;
  const data = {
    shot: shots.findIndex(({ id }) => id === shot.id),
    id: shot.id,
    status: shot.status,
    done,
    shots: shots.length,
    ...(shot.errorCode === null ? {} : { error: { code: shot.errorCode, message: shot.errorMessage } }),
  };
  const event = { type: "shot", data };
  const progress = (SHOTS_PART * done) / shots.length;
  if (told.type === "queued" && isTerminal(board.status as JobStatus)) {
    yield* reopen(tx, board, WAITING, progress, [{ type: "queued", data: { retry: true } }, event]);
    return;
  }
  if (board.status !== WAITING) return;
  const startedAt = shot.status === "running" ? (board.startedAt ?? tx.now) : board.startedAt;
  yield* transition(tx, eq(tx.t.jobs.id, board.id), { progress, startedAt }, [event]);
  if (shots.every(({ status }) => isTerminal(status as JobStatus))) yield* settle(tx, board, shots);
}

/** Every shot has ended. */
function* settle(tx: Tx, board: JobRow, shots: JobRow[]): Verb<void> {
  const { jobs } = tx.t;
  const mine = eq(jobs.id, board.id);
  if (board.cancelRequestedAt !== null) {
    yield* endJob(tx, mine, { status: "canceled", data: { receipt: null } });
    return;
  }
  const error = errorOf(shots);
  if (error) {
    yield* endJob(tx, mine, { status: "failed", data: error, error });
    return;
  }
  const queued = {
    status: "queued",
    progress: SHOTS_PART,
    availableAt: tx.now,
    queuedAt: tx.now,
    queueDeadline: sql`${jobs.queueTtlMs} + ${tx.now}`,
  };
  yield* transition(tx, mine, queued, [{ type: "shots_done", data: { shots: shots.length } }]);
  tx.wake({ type: "queued" });
}

const MAX_MESSAGE = 1_000;

/** Which shots have not succeeded, and why. */
function errorOf(shots: JobRow[]): { code: string; message: string } | undefined {
  const said = shots.flatMap((shot, index) => {
    if (shot.status === "succeeded") return [];
    const why = shot.errorMessage ? `: ${shot.errorMessage}` : "";
    return [`shot ${index + 1} of ${shots.length} (${shot.id}) ${shot.status.replace("_", " ")}${why}`];
  });
  return said.length === 0
    ? undefined
    : { code: "shot_failed", message: said.join("; ").slice(0, MAX_MESSAGE) };
}

/** An ended storyboard is to be made after all. */
export function* reopen(
  tx: Tx,
  board: JobRow,
  status: typeof WAITING | "queued",
  progress: number,
  events: NewEvent[],
): Verb<JobRow | undefined> {
  const { jobs } = tx.t;
  const change = {
    status,
    progress,
    nodeDeaths: 0,
    leaseExpiries: 0,
    failures: 0,
    edgeId: null,
    nodeId: null,
    stage: "",
    step: 0,
    errorCode: null,
    errorMessage: null,
    cancelRequestedAt: null,
    startedAt: null,
    completedAt: null,
    availableAt: tx.now,
    queuedAt: tx.now,
    queueDeadline: status === WAITING ? null : sql`${jobs.queueTtlMs} + ${tx.now}`,
  };
  const ended = and(eq(jobs.id, board.id), inArray(jobs.status, ["failed", "timed_out", "canceled"]));
  const row = yield* transition(tx, ended, change, events);
  if (row) yield* expireShots(tx, board.id, null);
  return row;
}

/** A storyboard has ended: the results of its shots last as long as its own would. */
export function* followBoard(tx: Tx, board: JobRow): Verb<void> {
  if (!isTerminal(board.status as JobStatus) || board.resultsTtlMs === null) return;
  yield* expireShots(tx, board.id, tx.now + board.resultsTtlMs);
}

function* expireShots(tx: Tx, boardId: string, at: number | null): Verb<void> {
  const { jobs, storyboardShots } = tx.t;
  const ids = tx.db
    .select({ id: storyboardShots.jobId })
    .from(storyboardShots)
    .where(eq(storyboardShots.boardId, boardId));
  // A canceled shot may have left what there was of it.
  const made = and(inArray(jobs.id, ids), inArray(jobs.status, ["succeeded", "canceled"]));
  yield* run(tx.db.update(jobs).set({ resultsExpireAt: at }).where(made));
}

import { type Job, type JobWithResults, SHOTS_PART, type Storyboard } from "@cartoon/db";
import { isTerminal, type JobStatus, type Transition } from "@cartoon/protos";
import { type LinkOptions, publicId, type Render, toRender } from "../renders/view.ts";

/** What a storyboard is at: its shots, their join, or nothing any more. */
type Stage = "shots" | "join" | "";

function statusOf({ board, waiting, shots }: Storyboard<Job>): JobStatus {
  if (isTerminal(board.status) || !waiting) return board.status;
  return shots.some(({ status }) => status !== "queued") ? "running" : "queued";
}

function stageOf({ board, waiting }: Storyboard<Job>): Stage {
  if (isTerminal(board.status)) return "";
  return waiting ? "shots" : "join";
}

/** Of the shots while they are drawn: each counts for what it has done. */
function progressOf({ board, waiting, shots }: Storyboard<Job>): number {
  if (!waiting || shots.length === 0) return board.progress;
  const done = shots.reduce((sum, shot) => sum + (isTerminal(shot.status) ? 1 : shot.progress), 0);
  return (SHOTS_PART * done) / shots.length;
}

async function toShot(shot: Job | JobWithResults, transition: Transition | undefined, links: LinkOptions) {
  const render: Render = await toRender(shot, links);
  const { id, status, stage, progress, step, steps, error, warnings, results } = render;
  return {
    id,
    status,
    stage,
    progress,
    step,
    steps,
    prompt: shot.spec.clip?.prompt ?? "",
    characters: shot.spec.clip?.characters ?? [],
    lines: shot.spec.speech?.lines ?? [],
    seed: shot.spec.clip?.seed ?? 0,
    transition: transition ?? null,
    error,
    warnings,
    results,
    links: { self: render.links.self, events: render.links.events, preview: render.links.preview },
  };
}

/** A storyboard as `/v1` shows it. */
export async function toStoryboard(storyboard: Storyboard<Job | JobWithResults>, links: LinkOptions) {
  const { board, shots } = storyboard;
  const id = publicId(board);
  const self = `${links.origin}/v1/storyboards/${id}`;
  const render = await toRender(board, links);
  const transitions = board.spec.join?.transitions ?? [];
  return {
    id,
    title: board.spec.join?.title ?? "",
    status: statusOf(storyboard),
    stage: stageOf(storyboard),
    progress: progressOf(storyboard),
    shots_done: shots.filter(({ status }) => status === "succeeded").length,
    shots: await Promise.all(shots.map((shot, i) => toShot(shot, transitions[i], links))),
    created_at: render.created_at,
    started_at: render.started_at,
    completed_at: render.completed_at,
    results_expire_at: render.results_expire_at,
    cancel_requested: render.cancel_requested,
    warnings: render.warnings,
    results: render.results,
    error: render.error,
    device_seconds: shots.reduce((sum, shot) => sum + shot.deviceSeconds, board.deviceSeconds),
    metadata: render.metadata,
    links: { self, events: `${self}/events`, cancel: `${self}/cancel`, retry: `${self}/retry` },
  };
}
export type StoryboardView = Awaited<ReturnType<typeof toStoryboard>>;

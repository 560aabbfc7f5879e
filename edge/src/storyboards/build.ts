import type { JoinSpec, OutputSpec, RenderSpec, Transition } from "@cartoon/protos";
import { pointerTo } from "../errors/from-zod.ts";
import { ApiError, type FieldError } from "../errors/table.ts";
import { randomSeed } from "../renders/build-spec.ts";
import type { RenderRequest } from "../renders/request.ts";
import type { ShotRequest, StoryboardRequest, TransitionRequest } from "./request.ts";

const CUT: Transition = { type: "cut", seconds: 0 };
const CROSSFADE: Transition = { type: "crossfade", seconds: 0.5 };

function transitionOf(asked: TransitionRequest | undefined): Transition {
  if (asked === undefined || asked === "cut") return CUT;
  if (asked === "crossfade") return CROSSFADE;
  return asked.type === "cut" ? CUT : { type: asked.type, seconds: asked.seconds };
}

/** One transition for each cut. @throws ApiError `validation_failed` for one after the last shot */
export function transitionsOf({ shots, transition }: StoryboardRequest): Transition[] {
  const last = shots.length - 1;
  if (shots[last]?.transition !== undefined) {
    const pointer = pointerTo(["shots", last, "transition"]);
    const detail = "there is no shot after the last one";
    throw new ApiError("validation_failed", `${pointer}: ${detail}`, { errors: [{ detail, pointer }] });
  }
  return shots.slice(0, -1).map((shot) => transitionOf(shot.transition ?? transition));
}

/** Every shot as a render of its own: what it does not say itself is as the storyboard says. */
export function rendersOf(board: StoryboardRequest): RenderRequest[] {
  // One seed for all, so that look and voices stay the same from shot to shot.
  const seed = board.seed ?? randomSeed();
  return board.shots.map((shot) => renderOf(board, shot, seed));
}

function renderOf(board: StoryboardRequest, shot: ShotRequest, seed: number): RenderRequest {
  const spoken = shot.dialogue !== undefined;
  return given({
    prompt: board.style === undefined ? shot.prompt : `${shot.prompt}, ${board.style}`,
    negative_prompt: shot.negative_prompt ?? board.negative_prompt,
    characters: shot.characters ?? board.characters,
    dialogue: shot.dialogue,
    loras: board.loras,
    clip: { ...board.clip, ...shot.clip },
    speech: spoken ? { ...board.speech, ...shot.speech } : shot.speech,
    // The join is made from picture and sound apart, with the captions beside them.
    output: {
      formats: spoken ? ["mp4", "wav", "poster"] : ["mp4", "poster"],
      fit: shot.fit ?? board.output?.fit ?? "pingpong",
      captions: true,
    },
    seed: shot.seed ?? seed,
    pack: board.pack,
    deterministic: board.deterministic,
    priority: board.priority,
    queue_ttl_seconds: board.queue_ttl_seconds,
    execution_timeout_seconds: board.execution_timeout_seconds,
    retention_seconds: board.retention_seconds,
  });
}

/** Without what was not said: an absent field has a default, one that is undefined would hide it. */
const given = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;

/** The spec of the job that joins the shots. */
export function joinSpecOf(
  board: StoryboardRequest,
  shots: readonly RenderSpec[],
  transitions: Transition[],
  shotIds: readonly string[],
): RenderSpec {
  const first = shots[0]?.clip;
  if (!first) throw new Error("a storyboard has at least one shot, and every shot a clip");
  const spoken = shots.some(({ speech }) => speech != null);
  const join: JoinSpec = {
    shots: shotIds.map((job_id) => ({ job_id })),
    transitions,
    // Of all shots alike, so any of them has it, unless it says otherwise itself.
    width: board.clip?.width ?? first.width,
    height: board.clip?.height ?? first.height,
    fps: board.clip?.fps ?? first.fps,
    title: board.title ?? "",
    spoken,
  };
  const formats: OutputSpec["formats"] = spoken ? ["mp4", "gif", "poster", "wav"] : ["mp4", "gif", "poster"];
  const output = { formats, fit: "pingpong" as const, captions: true, ...board.output };
  return { pack: "", join, output, deterministic: false };
}

/**
 * An error of a shot's render, with pointers to where the storyboard says it: in the shot, or in what all have in
 * common.
 */
export function inShot(error: ApiError, index: number, shot: ShotRequest): ApiError {
  const errors = error.errors.map((one): FieldError => {
    if (one.pointer === undefined) return one;
    return { ...one, pointer: relocated(one.pointer, index, shot) };
  });
  const [first] = errors;
  const detail = first?.pointer === undefined ? error.message : `${first.pointer}: ${first.detail}`;
  return new ApiError(error.code, detail, { errors, headers: error.headers, cause: error });
}

const PARTS = new Set(["clip", "speech"]);

function relocated(pointer: string, index: number, shot: ShotRequest): string {
  const [, field = "", inner = ""] = pointer.split("/");
  const own = `#/shots/${index}${pointer.slice(1)}`;
  if (pointer === "#/output/fit") return shot.fit === undefined ? pointer : `#/shots/${index}/fit`;
  const said: unknown = (shot as Record<string, unknown>)[field];
  if (PARTS.has(field) && inner !== "") {
    // A speech's lines and a clip's prompt are the shot's dialogue and prompt.
    if (field === "speech" && inner === "lines") return `#/shots/${index}/dialogue`;
    if (field === "clip" && inner === "prompt") return `#/shots/${index}/prompt`;
    return typeof said === "object" && said !== null && inner in said ? own : pointer;
  }
  return said === undefined && field !== "prompt" && field !== "dialogue" ? pointer : own;
}

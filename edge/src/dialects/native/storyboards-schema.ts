import { CharacterWeight, JOB_STATUSES, SpeechLine, Transition, Warning } from "@cartoon/protos";
import { z } from "@hono/zod-openapi";
import { ResultView } from "./schema.ts";

const nullableTime = z.iso.datetime().nullable();
const Failure = z.object({ code: z.string(), message: z.string() }).nullable();

export const ShotView = z
  .object({
    id: z.string().openapi({ description: "A render of its own: readable under `/v1/renders` too" }),
    status: z.enum(JOB_STATUSES),
    stage: z.string(),
    progress: z.number(),
    step: z.int(),
    steps: z.int(),
    prompt: z.string(),
    characters: z.array(CharacterWeight),
    lines: z.array(SpeechLine),
    seed: z.int(),
    transition: Transition.nullable().openapi({ description: "Into the next shot; null after the last" }),
    error: Failure,
    warnings: z.array(Warning),
    results: z.array(ResultView),
    links: z.object({ self: z.string(), events: z.string(), preview: z.string() }),
  })
  .openapi("Shot");

export const StoryboardViewSchema = z
  .object({
    id: z.string().openapi({ description: "The job that joins the shots: readable under `/v1/renders` too" }),
    title: z.string(),
    status: z.enum(JOB_STATUSES),
    stage: z.enum(["shots", "join", ""]),
    progress: z.number(),
    shots_done: z.int(),
    shots: z.array(ShotView),
    created_at: nullableTime,
    started_at: nullableTime,
    completed_at: nullableTime,
    results_expire_at: nullableTime,
    cancel_requested: z.boolean(),
    warnings: z.array(Warning),
    results: z.array(ResultView),
    error: Failure,
    device_seconds: z.number(),
    metadata: z.record(z.string(), z.string()),
    links: z.object({ self: z.string(), events: z.string(), cancel: z.string(), retry: z.string() }),
  })
  .openapi("Storyboard");

import type { Job, JobEvent, JobWithResults } from "@cartoon/db";
import type { Job as JobMessage } from "@cartoon/protos/gen/Job";
import type { JobServiceWatchResponse } from "@cartoon/protos/gen/JobServiceWatchResponse";
import type { RenderSpec__Output } from "@cartoon/protos/gen/RenderSpec";
import { validationError } from "../errors/from-zod.ts";
import { RenderRequest } from "../renders/request.ts";
import { type LinkOptions, toRender } from "../renders/view.ts";

// proto3 has no difference between an absent number or text and a zero or empty one; neither is a setting of ours,
// but for `guidance_rescale`, `overlap` and the like, whose zero is the default anyway.
function withoutZeros(message: object): Record<string, unknown> {
  const kept = Object.entries(message).filter(
    ([name, value]) =>
      !name.startsWith("_") &&
      value !== 0 &&
      value !== "" &&
      value !== false &&
      value !== null &&
      value !== undefined &&
      !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept);
}

/** proto-loader adds a `_field` marker beside every optional field. */
const withoutMarkers = (message: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(message).filter(([name]) => !name.startsWith("_")));

/**
 * A spec from the wire as a request: what is not set gets the same defaults as over HTTP.
 * @throws ApiError `validation_failed`
 */
export function requestFromWire(spec: RenderSpec__Output | null, priority: string): RenderRequest {
  const { clip, speech, output, pack, deterministic, registered = [] } = spec ?? {};
  const context = clip?.context;
  const parsed = RenderRequest.safeParse({
    ...(pack ? { pack } : {}),
    ...(deterministic ? { deterministic } : {}),
    ...(registered.length > 0 ? { registered: registered.map(withoutMarkers) } : {}),
    ...(clip
      ? {
          clip: {
            ...withoutZeros(clip),
            // The message says which of absent and empty it is.
            ...(clip.negative_prompt === undefined || clip.negative_prompt === null
              ? {}
              : { negative_prompt: clip.negative_prompt }),
            ...(clip._free_noise ? { free_noise: clip.free_noise } : {}),
            ...(clip.start_image ? { start_image: withoutZeros(clip.start_image) } : {}),
            ...(context ? { context: { ...context, schedule: context.schedule || "static" } } : {}),
          },
        }
      : {}),
    ...(speech ? { speech: withoutZeros(speech) } : {}),
    ...(output ? { output: withoutZeros(output) } : {}),
    ...(priority === "" ? {} : { priority }),
  });
  if (!parsed.success) throw validationError(parsed.error.issues);
  return parsed.data;
}

/** A job as internal services see it. */
export async function toMessage(job: Job | JobWithResults, links: LinkOptions): Promise<JobMessage> {
  const render = await toRender(job, links);
  return {
    id: render.id,
    status: render.status,
    progress: render.progress,
    stage: render.stage,
    attempt: render.attempt,
    created_at: render.created_at ?? "",
    started_at: render.started_at ?? "",
    completed_at: render.completed_at ?? "",
    spec: render.spec,
    results: render.results.map(({ name, url, content_type, bytes, sha256 }) => ({
      name,
      url,
      content_type,
      bytes,
      sha256,
    })),
    warnings: render.warnings,
    error: render.error,
  };
}

export const toWatchMessage = ({ seq, type, data }: JobEvent): JobServiceWatchResponse => ({
  sequence: seq,
  type,
  data_json: JSON.stringify(data),
});

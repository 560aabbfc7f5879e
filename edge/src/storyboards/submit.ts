import { type Enqueued, enqueueStoryboard, fingerprint, STORYBOARD } from "@cartoon/db";
import type { Principal } from "../auth/principal.ts";
import { ApiError } from "../errors/table.ts";
import { checkQuota } from "../renders/admission.ts";
import { castOf } from "../renders/cast.ts";
import type { RenderRequest } from "../renders/request.ts";
import { type NewJob, toEnqueue } from "../renders/submit.ts";
import type { Services } from "../services.ts";
import { inShot, joinSpecOf, rendersOf, transitionsOf } from "./build.ts";
import type { StoryboardRequest } from "./request.ts";

/** Dialect of the jobs that draw the shots. */
const SHOT = "shot";

/**
 * Puts a storyboard into the queue, with a job for each shot; all of it is durable when this resolves.
 * @throws ApiError `validation_failed` with a pointer into the storyboard, VerbError
 */
export async function submitStoryboard(
  services: Services,
  principal: Principal,
  request: StoryboardRequest,
  options: { idempotencyKey?: string } = {},
): Promise<Enqueued> {
  if (services.stopping.aborted) throw new ApiError("shutting_down", "this edge is going down; try again");
  await checkQuota(services, principal);
  const transitions = transitionsOf(request);
  const renders = rendersOf(request);
  const shots: NewJob[] = [];
  for (const [index, render] of renders.entries()) {
    const cast = await inShotOf(request, index, () => castOf(services, principal.tenant, render));
    shots.push(
      await inShotOf(request, index, () => toEnqueue(services, principal, render, { dialect: SHOT }, cast)),
    );
  }
  const [first] = renders;
  if (!first) throw new Error("a storyboard has at least one shot");
  const cast = await castOf(services, principal.tenant, first);
  // The first shot's request says what all have in common: time-outs, priority, pack.
  const common: RenderRequest = {
    ...first,
    ...{ webhook: request.webhook, metadata: request.metadata, destination: request.destination },
  };
  const { spec: _, ...board } = toEnqueue(
    services,
    principal,
    common,
    { dialect: STORYBOARD, ...options },
    cast,
  );
  const specs = shots.map(({ spec }) => spec);
  return enqueueStoryboard(services.db, {
    board: {
      ...board,
      specOf: (ids) => joinSpecOf(request, specs, transitions, ids),
      fingerprint: fingerprint(request),
      warnings: [],
      // Joining takes no device, so it says nothing about the pace of drawing.
      work: 0,
    },
    shots,
  });
}

async function inShotOf<T>(
  request: StoryboardRequest,
  index: number,
  make: () => T | Promise<T>,
): Promise<T> {
  const shot = request.shots[index];
  try {
    return await make();
  } catch (error) {
    throw error instanceof ApiError && shot ? inShot(error, index, shot) : error;
  }
}

import { estimateNew, usageToday } from "@cartoon/db";
import type { Principal } from "../auth/principal.ts";
import { limitHeaders } from "../errors/problem.ts";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import type { RenderRequest } from "./request.ts";

const DAY_SECONDS = 86_400;

/** Refuses renders of a key whose device time for the day is used up. @throws ApiError `quota_exceeded` */
export async function checkQuota(services: Services, principal: Principal): Promise<void> {
  const limit = principal.limits.deviceSecondsPerDay;
  if (limit === undefined) return;
  const usage = await usageToday(services.db, principal.tenant);
  if (usage.deviceSeconds < limit) return;
  const reset = Math.ceil(usage.resetMs / 1000);
  throw new ApiError(
    "quota_exceeded",
    `${limit} device seconds a day are used up; the day ends in ${reset} s`,
    { headers: limitHeaders("device-seconds", limit, reset, DAY_SECONDS) },
  );
}

/** Refuses a render that can't be done in time, going by measured history. @throws ApiError `deadline_unreachable` */
export async function checkDeadline(
  services: Services,
  request: RenderRequest,
  job: { pack: string; work: number },
): Promise<void> {
  const { deadline_seconds: deadline, priority } = request;
  if (deadline === undefined) return;
  const estimate = await estimateNew(services.db, { ...job, priority }, services.nodes.permits);
  const { finishesInSeconds } = estimate;
  if (finishesInSeconds === null || finishesInSeconds <= deadline) return;
  const detail = `it would be done in about ${Math.ceil(finishesInSeconds)} s`;
  throw new ApiError("deadline_unreachable", `#/deadline_seconds: ${detail}`, {
    errors: [{ detail, pointer: "#/deadline_seconds" }],
  });
}

import { z } from "zod";
import { validationError } from "../../errors/from-zod.ts";
import { ApiError } from "../../errors/table.ts";
import type { RenderRequest } from "../../renders/request.ts";
import { CallerBucket } from "../../store/caller-bucket.ts";

const DAY_MS = 86_400_000;

const JobBody = z.object({
  input: z.unknown(),
  webhook: z.url({ protocol: /^https?$/ }).optional(),
  policy: z
    .object({
      executionTimeout: z
        .number()
        .min(5_000)
        .max(7 * DAY_MS)
        .optional(),
      lowPriority: z.boolean().optional(),
      ttl: z
        .number()
        .min(10_000)
        .max(7 * DAY_MS)
        .optional(),
    })
    .optional(),
  s3Config: CallerBucket.optional(),
});

export interface RunpodJob {
  input: Record<string, unknown>;
  envelope: Partial<RenderRequest>;
  /** Where the results are to go; a secret. */
  bucket?: CallerBucket;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads a job body. The Python client's `run({"input": …})` wraps twice: one level is taken off. */
export function parseJob(text: string): RunpodJob {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError("invalid_json", "the body is not valid JSON");
  }
  const parsed = JobBody.safeParse(body);
  if (!parsed.success) throw validationError(parsed.error.issues);
  const { input, webhook, policy, s3Config } = parsed.data;
  const inner = isRecord(input) && Object.keys(input).join() === "input" ? input.input : input;
  if (!isRecord(inner))
    throw new ApiError("validation_failed", "input: an object is needed", {
      errors: [{ detail: "an object is needed", pointer: "#/input" }],
    });
  return {
    input: inner,
    bucket: s3Config,
    envelope: {
      ...(webhook === undefined ? {} : { webhook: { url: webhook } }),
      ...(policy?.lowPriority ? { priority: "low" } : {}),
      ...(policy?.executionTimeout ? { execution_timeout_seconds: policy.executionTimeout / 1000 } : {}),
      ...(policy?.ttl ? { queue_ttl_seconds: policy.ttl / 1000 } : {}),
    },
  };
}

import { JOB_STATUSES, RenderSpec, Warning } from "@cartoon/protos";
import { z } from "@hono/zod-openapi";

export const IdParam = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, "letters, digits, - and _ only"),
});

const nullableTime = z.iso.datetime().nullable();

export const ResultView = z
  .object({
    name: z.string(),
    url: z.string(),
    download_url: z.string(),
    content_type: z.string(),
    bytes: z.int(),
    sha256: z.string(),
    width: z.int().optional(),
    height: z.int().optional(),
    seconds: z.number().optional(),
    expires_at: nullableTime,
  })
  .openapi("Result");

export const RenderView = z
  .object({
    id: z.string(),
    status: z.enum(JOB_STATUSES),
    stage: z.string(),
    progress: z.number(),
    step: z.int(),
    steps: z.int(),
    attempt: z.int(),
    priority: z.enum(["low", "normal", "high"]),
    created_at: nullableTime,
    started_at: nullableTime,
    completed_at: nullableTime,
    results_expire_at: nullableTime,
    cancel_requested: z.boolean(),
    spec: RenderSpec,
    warnings: z.array(Warning),
    results: z.array(ResultView),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    receipt: z
      .object({
        steps_done: z.int(),
        steps_total: z.int(),
        device_seconds: z.number(),
        stages: z.array(z.object({ stage: z.string(), seconds: z.number() })),
      })
      .nullable(),
    metadata: z.record(z.string(), z.string()),
    links: z.object({ self: z.string(), events: z.string(), cancel: z.string(), preview: z.string() }),
  })
  .openapi("Render");

export const MAX_WAIT_SECONDS = 120;
export const WaitQuery = z.object({
  wait: z.coerce
    .number()
    .min(0)
    .max(MAX_WAIT_SECONDS)
    .optional()
    .openapi({ description: `Seconds to wait for the end, at most ${MAX_WAIT_SECONDS}` }),
});

export const IdempotencyHeader = z.object({
  "idempotency-key": z.string().optional().openapi({ description: "Same key and body: the same render" }),
});

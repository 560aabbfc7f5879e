import { z } from "@hono/zod-openapi";
import type { App } from "../../hono.ts";
import { NUMBER_FIELDS, TASKS, V6 } from "../shared/v5-input/contract.ts";

const numbers = Object.fromEntries(
  NUMBER_FIELDS.map((field) => {
    const { min, max, default: byDefault, integer } = V6.numbers[field];
    const number = integer ? z.int() : z.number();
    return [field, number.min(min).max(max).default(byDefault)];
  }),
);

const Request = z
  .object({
    character: z.string().optional().openapi({ example: "temo" }),
    characters: z
      .array(z.string())
      .optional()
      .openapi({ example: ["temo", "felfel"] }),
    prompt: z.string().optional(),
    negative_prompt: z.string().optional(),
    dialogue_text: z.string().optional(),
    seed: z.int().nullable().optional(),
    ...numbers,
  })
  .openapi("V5Request");

const Answer = z
  .object({
    task_type: z.enum(TASKS),
    gif: z.string().nullable(),
    mp4: z.string().nullable(),
    audio: z.string().nullable(),
    seed: z.int(),
    memory_usage: z.record(z.string(), z.number().nullable()),
    generation_time: z.number().nullable(),
    id: z.string(),
    urls: z.record(z.string(), z.string()),
    warnings: z.array(z.record(z.string(), z.string())),
  })
  .openapi("V5Answer");

const Detail = z.object({ detail: z.string(), code: z.string() }).openapi("V5Error");

/** Puts the v5 endpoints into the OpenAPI document; their parsing clamps, so it is not zod's. */
export function describeV5(app: App): void {
  const content = (schema: z.ZodType) => ({ "application/json": { schema } });
  for (const task of TASKS)
    app.openAPIRegistry.registerPath({
      method: "post",
      path: `/api/${task}`,
      summary: `v5-compatible: ${task}, answered when it is done`,
      tags: ["v5"],
      request: { body: { required: true, content: content(Request) } },
      responses: {
        200: { description: "Media in base64, and signed URLs", content: content(Answer) },
        202: {
          description: "It takes longer than the server waits",
          content: content(z.object({ id: z.string() })),
        },
        400: { description: "Not valid", content: content(Detail) },
        500: { description: "The render failed", content: content(Detail) },
        503: { description: "No node is ready", content: content(Detail) },
      },
    });
}

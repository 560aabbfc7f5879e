import { type Enqueued, VerbError } from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import { toApiError, toProblem } from "../../errors/problem.ts";
import { type App, inOneGo, json, ProblemSchema, problems } from "../../hono.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { parseIdempotencyKey } from "../../renders/idempotency-key.ts";
import { linksFor } from "../../renders/links.ts";
import { RenderRequest } from "../../renders/request.ts";
import { submitRender, submitRenders } from "../../renders/submit.ts";
import { publicId, toRender } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { IdempotencyHeader, IdParam, RenderView } from "./schema.ts";

const body = {
  required: true,
  content: { "application/json": { schema: inOneGo(RenderRequest.openapi("RenderRequest")) } },
};
const tags = ["Renders"];
const MAX_BATCH = 100;

const create = createRoute({
  method: "post",
  path: "/v1/renders",
  operationId: "createRender",
  summary: "Submit a render",
  tags,
  middleware: [requireScope("render"), jsonBody] as const,
  request: { headers: IdempotencyHeader, body },
  responses: {
    202: json(RenderView, "Accepted; durable"),
    200: json(RenderView, "An earlier request with the same idempotency key made it"),
    ...problems,
  },
});

const put = createRoute({
  method: "put",
  path: "/v1/renders/{id}",
  operationId: "putRender",
  summary: "Submit a render under an id of your own",
  tags,
  middleware: [requireScope("render"), jsonBody] as const,
  request: { params: IdParam, body },
  responses: {
    202: json(RenderView, "Accepted; durable"),
    200: json(RenderView, "It is there already"),
    ...problems,
  },
});

const BatchOutcome = z.union([RenderView, z.object({ problem: ProblemSchema })]);
const batch = createRoute({
  method: "post",
  path: "/v1/renders/batch",
  operationId: "createRenders",
  summary: `Submit up to ${MAX_BATCH} renders; each is taken or refused by itself`,
  tags,
  middleware: [requireScope("render"), jsonBody] as const,
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({ renders: z.array(RenderRequest).min(1).max(MAX_BATCH) }),
        },
      },
    },
  },
  responses: {
    207: json(z.object({ renders: z.array(BatchOutcome) }), "One outcome each, in order"),
    ...problems,
  },
});

/** Submitting renders: one, one under a chosen id, many. */
export function registerSubmit(app: App, services: Services): void {
  const answer = ({ job }: Enqueued, origin: string) => toRender(job, linksFor(services, origin));

  app.openapi(create, async (c) => {
    const idempotencyKey = parseIdempotencyKey(c.req.valid("header")["idempotency-key"]);
    const outcome = await submitRender(services, principalOf(c), c.req.valid("json"), {
      dialect: "v1",
      idempotencyKey,
    });
    c.header("location", `/v1/renders/${publicId(outcome.job)}`);
    return c.json(await answer(outcome, c.get("origin")), outcome.created ? 202 : 200);
  });

  app.openapi(put, async (c) => {
    const alias = c.req.valid("param").id;
    const outcome = await submitRender(services, principalOf(c), c.req.valid("json"), {
      dialect: "v1",
      alias,
    });
    return c.json(await answer(outcome, c.get("origin")), outcome.created ? 202 : 200);
  });

  app.openapi(batch, async (c) => {
    const outcomes = await submitRenders(services, principalOf(c), c.req.valid("json").renders, {
      dialect: "v1",
    });
    const renders = outcomes.map((outcome) =>
      outcome instanceof VerbError || outcome instanceof Error
        ? { problem: toProblem(toApiError(outcome, c.get("requestId")), c.get("requestId")) }
        : answer(outcome, c.get("origin")),
    );
    return c.json({ renders: await Promise.all(renders) }, 207);
  });
}

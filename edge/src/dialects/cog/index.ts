import { cancel, getJob, type JobWithResults, listJobs } from "@cartoon/db";
import { isTerminal, TERMINAL_STATUSES } from "@cartoon/protos";
import type { Context } from "hono";
import { z } from "zod";
import { toApiError } from "../../errors/problem.ts";
import { ApiError } from "../../errors/table.ts";
import { type App, type AppEnv, createRouter } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { waitForJob } from "../../renders/live.ts";
import { WebhookRequest } from "../../renders/request.ts";
import type { Services } from "../../services.ts";
import { registerWebhookStyle } from "../../webhooks/styles.ts";
import { isSuccess, jsonWebhook } from "../shared/json-webhook.ts";
import { submitInput } from "../shared/submit-input.ts";
import { predictionStream } from "./stream.ts";
import { toPrediction } from "./view.ts";

const PredictionRequest = z.object({
  id: z.string().optional(),
  input: z.record(z.string(), z.unknown()).default({}),
  webhook: WebhookRequest.shape.url.optional(),
  webhook_events_filter: z.array(z.enum(["start", "output", "logs", "completed"])).optional(),
});

const MAX_WAIT_SECONDS = 60;

/** How the two relatives differ: Cog answers when it is done, Replicate at once and with 201. */
interface Manner {
  prefix: "" | "/v1";
  accepted: 201 | 202;
  waitSeconds(prefer: string, syncWaitSeconds: number): number;
}

const COG: Manner = {
  prefix: "",
  accepted: 202,
  waitSeconds: (prefer, syncWaitSeconds) => (prefer.includes("respond-async") ? 0 : syncWaitSeconds),
};

const REPLICATE: Manner = {
  prefix: "/v1",
  accepted: 201,
  waitSeconds: (prefer) => {
    const [, given] = /wait(?:=(\d+))?/.exec(prefer) ?? [];
    if (!prefer.includes("wait")) return 0;
    return Math.min(MAX_WAIT_SECONDS, Number(given ?? MAX_WAIT_SECONDS));
  },
};

/** Predictions as Cog serves them at `/predictions` and Replicate at `/v1/predictions`. */
export function registerCog(app: App, services: Services): void {
  registerWebhookStyle(
    "cog",
    jsonWebhook((job, origin) => toPrediction(services, job, origin), {
      scheduleMs: Array.from({ length: 11 }, (_, attempt) => 100 * 2 ** attempt),
      isDelivered: isSuccess,
    }),
  );
  app.get("/health-check", (c) => c.json(healthCheck(services)));
  for (const manner of [COG, REPLICATE]) {
    const api = predictions(services, manner);
    app.route(`${manner.prefix}/predictions`, api);
  }
  const byName = createRouter();
  byName.post("/:owner/:name/predictions", (c) =>
    app.fetch(new Request(new URL("/v1/predictions", c.req.url), c.req.raw), c.env),
  );
  app.route("/v1/models", byName);
  app.route("/v1/deployments", byName);
}

function predictions(services: Services, manner: Manner) {
  const api = createRouter();
  api.onError((thrown, c) => cogError(thrown, c));
  const reader = (c: Context<AppEnv>) => ({ tenant: principalOf(c).tenant });

  const create = async (c: Context<AppEnv>, pathId?: string) => {
    const body = await predictionRequest(c);
    if (pathId !== undefined && body.id !== undefined && body.id !== pathId)
      throw new ApiError("validation_failed", "prediction ID must match the ID supplied in the URL", {
        errors: [{ detail: "prediction ID must match the ID supplied in the URL", pointer: "#/id" }],
      });
    const { job, created } = await submitInput(services, principalOf(c), body.input, {
      dialect: "cog",
      alias: pathId ?? body.id,
      webhookStyle: "cog",
      envelope: body.webhook
        ? { webhook: { url: body.webhook, events: eventsOf(body.webhook_events_filter) } }
        : {},
    });
    return answer(c, await getJob(services.db, reader(c), job.id), created);
  };

  const answer = async (c: Context<AppEnv>, job: JobWithResults, created: boolean) => {
    const origin = c.get("origin");
    if ((c.req.header("accept") ?? "").includes("text/event-stream")) {
      c.env?.holdOpen?.();
      return predictionStream(services, job, origin);
    }
    const seconds = manner.waitSeconds(c.req.header("prefer") ?? "", services.config.syncWaitSeconds);
    if (seconds > 0) c.env?.holdOpen?.();
    const ended = await waitForJob(services.db, services.signals, job, seconds * 1000, services.stopping);
    const status = isTerminal(ended.status) && manner === COG ? 200 : manner.accepted;
    return c.json(await toPrediction(services, ended, origin), created || manner === COG ? status : 200);
  };

  api.post("/", requireScope("render"), (c) => create(c));
  api.put("/:id", requireScope("render"), (c) => create(c, c.req.param("id")));
  api.get("/", requireScope("read"), async (c) => {
    const { jobs } = await listJobs(services.db, reader(c), { limit: 100 });
    const results = jobs.map((job) => toPrediction(services, { ...job, results: [] }, c.get("origin")));
    return c.json({ previous: null, next: null, results: await Promise.all(results) });
  });
  api.get("/:id", requireScope("read"), async (c) =>
    c.json(
      await toPrediction(services, await getJob(services.db, reader(c), c.req.param("id")), c.get("origin")),
    ),
  );
  api.get("/:id/stream", requireScope("read"), async (c) => {
    c.env?.holdOpen?.();
    return predictionStream(
      services,
      await getJob(services.db, reader(c), c.req.param("id")),
      c.get("origin"),
    );
  });
  api.post("/:id/cancel", requireScope("cancel"), async (c) => {
    await cancel(services.db, reader(c), c.req.param("id"));
    const job = await getJob(services.db, reader(c), c.req.param("id"));
    return c.json(manner === COG ? {} : await toPrediction(services, job, c.get("origin")));
  });
  return api;
}

/** Cog's `output` and `logs` events have no moment of their own here: a render has one output, at its end. */
function eventsOf(filter: readonly string[] | undefined) {
  const wants = (event: string) => filter === undefined || filter.includes(event);
  return [...(wants("start") ? (["leased"] as const) : []), ...(wants("completed") ? TERMINAL_STATUSES : [])];
}

async function predictionRequest(c: Context<AppEnv>) {
  const text = await c.req.text();
  let body: unknown = {};
  try {
    if (text.trim() !== "") body = JSON.parse(text);
  } catch {
    throw new ApiError("invalid_json", "the body is not valid JSON");
  }
  const parsed = PredictionRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ApiError("validation_failed", issue?.message ?? "not valid", {
    errors: [{ detail: issue?.message ?? "not valid", pointer: `#/${issue?.path.join("/") ?? ""}` }],
  });
}

/** Cog's validation error lists places; its other errors are one sentence. */
function cogError(thrown: unknown, c: Context<AppEnv>): Response {
  const error = toApiError(thrown, c.get("requestId"));
  const { status, headers } = error;
  if (status !== 422) {
    const body = { error: error.message, detail: error.message, title: error.code, status: "failed" };
    return Response.json(body, { status, headers });
  }
  const detail = error.errors.map((one) => {
    const path = (one.pointer ?? "").replace(/^#\/?/, "").split("/").filter(Boolean);
    const loc =
      path[0] === "id" ? ["body", "id"] : ["body", "input", ...path.filter((part) => part !== "input")];
    return { loc, msg: one.detail, type: "value_error" };
  });
  return Response.json({ detail }, { status, headers });
}

const startedAt = new Date().toISOString();

function healthCheck({ nodes }: Services) {
  const status = nodes.freePermits > 0 ? "READY" : nodes.permits > 0 ? "BUSY" : "STARTING";
  return {
    status,
    setup: { started_at: startedAt, status: status === "STARTING" ? "starting" : "succeeded" },
    version: { coglet: "cartoon", cog: "6.0.0" },
  };
}

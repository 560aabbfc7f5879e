import {
  cancel,
  estimateJob,
  eventsAfter,
  getJob,
  type JobWithResults,
  STANDARD_SCHEDULE_MS,
} from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import type { Context } from "hono";
import { z } from "zod";
import { validationError } from "../../errors/from-zod.ts";
import { toApiError } from "../../errors/problem.ts";
import { ApiError } from "../../errors/table.ts";
import { type App, type AppEnv, createRouter } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { followEvents } from "../../renders/live.ts";
import { sseResponse } from "../../renders/sse.ts";
import { publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { registerWebhookStyle } from "../../webhooks/styles.ts";
import { isSuccess, jsonWebhook } from "../shared/json-webhook.ts";
import { submitInput } from "../shared/submit-input.ts";
import { toFalLogs, toFalResult, toFalStatus, toFalWebhook } from "./view.ts";

const KEEPALIVE_MS = 15_000;

const Headers = z.object({
  "x-fal-queue-priority": z.enum(["low", "normal"]).optional(),
  "x-fal-request-timeout": z.coerce.number().min(5).max(604_800).optional(),
});
const Webhook = z.url({ protocol: /^https?$/ }).max(2048);

/** fal's queue at `/fal/{owner}/{name}`; the model's name says nothing, every model is this one. */
export function registerFal(app: App, services: Services): void {
  registerWebhookStyle(
    "fal",
    jsonWebhook((job, origin) => toFalWebhook(services, job, origin), {
      scheduleMs: STANDARD_SCHEDULE_MS,
      isDelivered: isSuccess,
    }),
  );
  const api = createRouter();
  api.onError((thrown, c) => {
    const error = toApiError(thrown, c.get("requestId"));
    const detail = error.errors.map((one) => ({
      loc: ["body", ...(one.pointer ?? "").replace(/^#\/?/, "").split("/").filter(Boolean)],
      msg: one.detail,
      type: "value_error",
    }));
    const body = { detail: detail.length > 0 ? detail : error.message };
    return Response.json(body, { status: error.status, headers: error.headers });
  });
  const find = (c: Context<AppEnv>) =>
    getJob(services.db, { tenant: principalOf(c).tenant }, c.req.param("id") ?? "");
  const model = (c: Context<AppEnv>) =>
    `${c.get("origin")}/fal/${c.req.param("owner")}/${c.req.param("name")}`;
  const place = async (job: JobWithResults) => {
    if (job.status !== "queued") return undefined;
    const estimate = await estimateJob(services.db, { tenant: job.tenant }, job.id, services.nodes.permits);
    return estimate.position;
  };

  api.post("/:owner/:name", requireScope("render"), async (c) => {
    const { job } = await submitInput(services, principalOf(c), await inputOf(c), {
      dialect: "fal",
      webhookStyle: "fal",
      envelope: envelopeOf(c),
    });
    const found = await getJob(services.db, { tenant: job.tenant }, job.id);
    return c.json(toFalStatus(found, model(c), await place(found)));
  });

  api.get("/:owner/:name/requests/:id/status", requireScope("read"), async (c) => {
    const job = await find(c);
    const logs = c.req.query("logs") === "1" ? toFalLogs(await eventsAfter(services.db, job.id)) : null;
    return c.json(
      { ...toFalStatus(job, model(c), await place(job)), logs },
      isTerminal(job.status) ? 200 : 202,
    );
  });

  api.get("/:owner/:name/requests/:id/status/stream", requireScope("read"), async (c) => {
    const job = await find(c);
    c.env?.holdOpen?.();
    const logs = c.req.query("logs") === "1";
    const encoder = new TextEncoder();
    return sseResponse(
      (signal) =>
        followEvents(services.db, services.signals, job, { afterSeq: 0, idleMs: KEEPALIVE_MS, signal }),
      {
        stopping: services.stopping,
        format: (event) => {
          const status = statusAt(event.type);
          const body = {
            ...toFalStatus({ ...job, status }, model(c)),
            logs: logs ? toFalLogs([event]) : null,
          };
          return encoder.encode(`data: ${JSON.stringify(body)}\n\n`);
        },
      },
    );
  });

  api.get("/:owner/:name/requests/:id", requireScope("read"), async (c) => {
    const job = await find(c);
    if (!isTerminal(job.status)) throw new ApiError("not_ready", `the request is ${job.status}`);
    c.header("x-fal-request-id", publicId(job));
    if (job.status === "succeeded") return c.json(await toFalResult(services, job, c.get("origin")));
    const reason = job.error?.message ?? `the request was ${job.status}`;
    throw new ApiError(job.error?.code === "invalid_spec" ? "validation_failed" : "render_failed", reason);
  });

  api.put("/:owner/:name/requests/:id/cancel", requireScope("cancel"), async (c) => {
    const job = await find(c);
    if (isTerminal(job.status)) return c.json({ status: "ALREADY_COMPLETED" }, 400);
    await cancel(services.db, { tenant: job.tenant }, publicId(job));
    return c.json({ status: "CANCELLATION_REQUESTED" }, 202);
  });

  app.route("/fal", api);
}

function statusAt(type: string): JobWithResults["status"] {
  if (type === "queued" || type === "requeued") return "queued";
  return isTerminal(type as JobWithResults["status"]) ? (type as JobWithResults["status"]) : "running";
}

async function inputOf(c: Context<AppEnv>): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    throw new ApiError("invalid_json", "the body is not valid JSON");
  }
}

function envelopeOf(c: Context<AppEnv>) {
  const headers = Headers.safeParse(c.req.header());
  if (!headers.success) throw validationError(headers.error.issues, "header");
  const given = c.req.query("fal_webhook");
  const webhook = Webhook.optional().safeParse(given);
  if (!webhook.success)
    throw new ApiError("validation_failed", "fal_webhook: a URL is needed", {
      errors: [{ detail: "a URL is needed", parameter: "fal_webhook" }],
    });
  return {
    priority: headers.data["x-fal-queue-priority"],
    execution_timeout_seconds: headers.data["x-fal-request-timeout"],
    ...(webhook.data === undefined ? {} : { webhook: { url: webhook.data } }),
  };
}

import { randomUUID } from "node:crypto";
import { cancel, getJob, listJobs } from "@cartoon/db";
import { JOB_STATUSES, type JobStatus } from "@cartoon/protos";
import type { JobServiceHandlers } from "@cartoon/protos/gen/JobService";
import type { Metadata, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { principalOfToken, tokenOf } from "../auth/authenticate.ts";
import { OPEN_PRINCIPAL, type Principal, type Scope } from "../auth/principal.ts";
import { ApiError } from "../errors/table.ts";
import { checkRate } from "../middleware/rate-limit.ts";
import { checkScope } from "../middleware/require-scope.ts";
import { followEvents } from "../renders/live.ts";
import { submitRender } from "../renders/submit.ts";
import type { LinkOptions } from "../renders/view.ts";
import type { Services } from "../services.ts";
import { toServiceError } from "./errors.ts";
import { requestFromWire, toMessage, toWatchMessage } from "./wire.ts";

/** Nobody sees the pauses that HTTP fills with comments: gRPC has keepalive of its own. */
const NEVER_IDLE_MS = Number.MAX_SAFE_INTEGER;
const MAX_PAGE = 200;

const first = (metadata: Metadata, name: string) => metadata.get(name)[0]?.toString();

async function authorise(services: Services, metadata: Metadata, scope: Scope): Promise<Principal> {
  const { config, db } = services;
  const token = tokenOf(first(metadata, "authorization"), first(metadata, "x-api-key"));
  const principal = config.auth === "open" ? OPEN_PRINCIPAL : await principalOfToken(db, token);
  const allowed = checkScope(principal, scope);
  await checkRate(config, db, allowed, allowed.keyId ?? allowed.tenant);
  return allowed;
}

function parseStatus(status: string): JobStatus | undefined {
  if (status === "") return undefined;
  const known = JOB_STATUSES.find((one) => one === status);
  if (known) return known;
  throw new ApiError("invalid_request", `status: one of ${JOB_STATUSES.join(", ")}`);
}

/** The job service for internal callers: the verbs, rules and limits of `/v1` over gRPC. */
export function jobServiceHandlers(services: Services, links: () => LinkOptions): JobServiceHandlers {
  const { db, signals, stopping } = services;

  const unary =
    <Request, Response>(scope: Scope, verb: (principal: Principal, request: Request) => Promise<Response>) =>
    (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
      authorise(services, call.metadata, scope)
        .then((principal) => verb(principal, call.request))
        .then(
          (answer) => reply(null, answer),
          (error: unknown) => reply(toServiceError(error, `req_${randomUUID()}`)),
        );
    };

  return {
    Submit: unary("render", async (principal, { spec, idempotency_key, priority }) => {
      const { job } = await submitRender(services, principal, requestFromWire(spec, priority), {
        dialect: "grpc",
        idempotencyKey: idempotency_key || undefined,
      });
      return { job: await toMessage(job, links()) };
    }),
    Get: unary("read", async ({ tenant }, { id }) => ({
      job: await toMessage(await getJob(db, { tenant }, id), links()),
    })),
    List: unary("read", async ({ tenant }, { limit, cursor, status }) => {
      if (limit > MAX_PAGE) throw new ApiError("invalid_request", `limit: at most ${MAX_PAGE}`);
      const options = { limit: limit || undefined, cursor: cursor || undefined, status: parseStatus(status) };
      const page = await listJobs(db, { tenant }, options);
      const jobs = await Promise.all(page.jobs.map((job) => toMessage(job, links())));
      return { jobs, next_cursor: page.nextCursor ?? "" };
    }),
    Cancel: unary("cancel", async ({ tenant }, { id, partial }) => {
      await cancel(db, { tenant }, id, { partial });
      return { job: await toMessage(await getJob(db, { tenant }, id), links()) };
    }),
    Watch: async (call) => {
      const gone = new AbortController();
      call.on("cancelled", () => gone.abort());
      try {
        const { tenant } = await authorise(services, call.metadata, "read");
        const job = await getJob(db, { tenant }, call.request.id);
        const signal = AbortSignal.any([gone.signal, stopping]);
        const options = { afterSeq: call.request.after_sequence, idleMs: NEVER_IDLE_MS, signal };
        for await (const event of followEvents(db, signals, job, options)) {
          if (!event) continue;
          const more = call.write(toWatchMessage(event));
          if (!more) await new Promise((resolve) => call.once("drain", resolve));
        }
        call.end();
      } catch (error) {
        call.emit("error", toServiceError(error, `req_${randomUUID()}`));
      }
    },
  };
}

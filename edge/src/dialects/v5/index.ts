import { getJob, type JobWithResults } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import type { Context } from "hono";
import { packOf } from "../../characters/pack-of.ts";
import { toApiError } from "../../errors/problem.ts";
import { ApiError } from "../../errors/table.ts";
import type { App, AppEnv } from "../../hono.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import { parseIdempotencyKey } from "../../renders/idempotency-key.ts";
import { waitForJob } from "../../renders/live.ts";
import { submitRender } from "../../renders/submit.ts";
import type { Services } from "../../services.ts";
import { TASKS, type Task, V5_REST, V6 } from "../shared/v5-input/contract.ts";
import { parseV5 } from "../shared/v5-input/parse.ts";
import { toV5Answer, toV5Pending } from "./answer.ts";
import { describeV5 } from "./openapi.ts";

// v5 knew 400, 500 and 503 beside success; keys and limits are new and keep their own codes.
function v5Status(status: number): number {
  if (status === 401 || status === 403 || status === 404 || status === 429) return status;
  if (status < 500) return 400;
  return status === 503 ? 503 : 500;
}

function v5Error(c: Context<AppEnv>, thrown: unknown): Response {
  const error = toApiError(thrown, c.get("requestId"));
  return Response.json(
    { detail: error.message, code: error.code },
    { status: v5Status(error.status), headers: error.headers },
  );
}

async function readBody(c: Context<AppEnv>): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (cause) {
    throw new ApiError("invalid_json", "the body is not valid JSON", { cause });
  }
}

async function answer(
  c: Context<AppEnv>,
  services: Services,
  job: JobWithResults,
  task: Task,
): Promise<Response> {
  const origin = c.get("origin");
  if (!isTerminal(job.status)) return c.json(toV5Pending(job, origin), 202);
  if (job.status === "succeeded") return c.json(await toV5Answer(services, job, task, origin));
  throw new ApiError("render_failed", job.error?.message ?? `the render was ${job.status}`);
}

// v5 said 503 while its models were not loaded; a caller that waits for the answer is told the same.
function checkNodes(services: Services): void {
  const states = services.nodes.nodes.map((node) => node.health);
  const hope = ["NODE_HEALTH_STARTING", "NODE_HEALTH_READY", "NODE_HEALTH_BUSY"];
  if (states.some((state) => hope.includes(state))) return;
  const [failed] = services.nodes.nodes.filter((node) => node.health === "NODE_HEALTH_SETUP_FAILED");
  throw new ApiError(
    "no_nodes",
    failed ? `the models can't be loaded: ${failed.detail}` : "no node is connected",
    {
      headers: { "retry-after": "5" },
    },
  );
}

async function handle(c: Context<AppEnv>, services: Services, task: Task): Promise<Response> {
  const principal = principalOf(c);
  const isAsync = c.req.header("prefer")?.includes("respond-async") ?? false;
  if (!isAsync) checkNodes(services);
  const contract = c.req.query("contract") === "v5" ? V5_REST : V6;
  const pack = await packOf(services, principal.tenant);
  const { request, warnings } = parseV5(await readBody(c), task, contract, pack);
  const { job } = await submitRender(services, principal, request, {
    dialect: "v5",
    extras: { task },
    warnings,
    idempotencyKey: parseIdempotencyKey(c.req.header("idempotency-key")),
  });
  const found = await getJob(services.db, { tenant: principal.tenant }, job.id);
  const wait = isAsync ? 0 : services.config.syncWaitSeconds;
  if (wait > 0) c.env?.holdOpen?.();
  return answer(
    c,
    services,
    await waitForJob(services.db, services.signals, found, wait * 1000, services.stopping),
    task,
  );
}

function examples(services: Services) {
  const pack = services.catalog.pack("");
  const one = (characters: string[]) => (suggestion: { prompt: string; dialogue: string }) => ({
    characters,
    prompt: suggestion.prompt,
    dialogue_text: suggestion.dialogue,
  });
  return {
    examples: [
      ...pack.pair_suggestions.map(one(pack.characters.slice(0, 2).map(({ name }) => name))),
      ...pack.characters.flatMap((character) => character.suggestions.map(one([character.name]))),
    ],
  };
}

/** `/api/*`: the REST API of v5 with the fields and defaults of v6. `?contract=v5` brings v5's own ranges back. */
export function registerV5(app: App, services: Services): void {
  for (const task of TASKS)
    app.post(`/api/${task}`, async (c) => {
      try {
        await requireScope("render")(c, async () => {});
        await jsonBody(c, async () => {});
        return await handle(c, services, task);
      } catch (error) {
        return v5Error(c, error);
      }
    });
  app.get("/api/examples", requireScope("read"), (c) => c.json(examples(services)));
  app.get("/", (c, next) => {
    // Browsers get the form, which has the same address.
    if (c.req.header("accept")?.includes("text/html")) return next();
    return Promise.resolve(
      c.json({
        message: "Cartoon Animation Worker",
        version: "6.0.0",
        docs: "/docs",
        health: "/health",
        endpoints: [
          ...TASKS.map((task) => `/api/${task}`),
          "/api/characters",
          "/api/examples",
          "/v1/renders",
        ],
      }),
    );
  });
  describeV5(app);
}

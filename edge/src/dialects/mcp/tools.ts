import { cancel, getJob, type JobWithResults } from "@cartoon/db";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
import type { Scope } from "../../auth/principal.ts";
import { packOf } from "../../characters/pack-of.ts";
import { checkScope } from "../../middleware/require-scope.ts";
import { linksFor } from "../../renders/links.ts";
import { waitForJob } from "../../renders/live.ts";
import { submitRender } from "../../renders/submit.ts";
import { toRender } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { answered, type Caller, waitSeconds } from "./answered.ts";
import { addStoryboardTool } from "./storyboard-tool.ts";

const RenderInput = z.object({
  prompt: z.string().min(1).max(2000).optional().describe("What the clip shows"),
  dialogue: z.string().max(8000).optional().describe("[S1] Temo: … [S2] Felfel: …"),
  characters: z.array(z.string()).max(8).optional(),
  seed: z.int().min(0).optional(),
  wait_seconds: waitSeconds,
});
const StatusInput = z.object({ id: z.string(), wait_seconds: waitSeconds });
const CancelInput = z.object({ id: z.string() });

/** The tools that a language model gets: render, storyboard, status, cancel and the list of characters. */
export function mcpServer(services: Services, caller: Caller): McpServer {
  const server = new McpServer({ name: "cartoon-animation-worker", version: "6.0.0" });
  const may = (scope: Scope) => checkScope(caller.principal, scope);
  const read = (id: string) => getJob(services.db, { tenant: may("read").tenant }, id);
  const show = (job: JobWithResults) => summary(services, job, caller.origin);

  server.registerTool(
    "render",
    {
      title: "Render a cartoon",
      description:
        "Draws a talking cartoon of Temo and Felfel from a prompt and a dialogue. Returns an id and, when it is done in time, the URLs.",
      inputSchema: RenderInput.shape,
    },
    answered(caller, RenderInput, async ({ wait_seconds = 0, ...request }) => {
      const principal = may("render");
      const { job } = await submitRender(services, principal, request, { dialect: "mcp" });
      const found = await getJob(services.db, { tenant: principal.tenant }, job.id);
      return show(
        await waitForJob(services.db, services.signals, found, wait_seconds * 1000, services.stopping),
      );
    }),
  );

  addStoryboardTool(server, services, caller);

  server.registerTool(
    "status",
    {
      title: "Status of a render",
      description: "State, progress and, once it is done, the URLs of a render.",
      inputSchema: StatusInput.shape,
      annotations: { readOnlyHint: true },
    },
    answered(caller, StatusInput, async ({ id, wait_seconds = 0 }) =>
      show(
        await waitForJob(
          services.db,
          services.signals,
          await read(id),
          wait_seconds * 1000,
          services.stopping,
        ),
      ),
    ),
  );

  server.registerTool(
    "cancel",
    {
      title: "Cancel a render",
      description: "Stops a render at its next step.",
      inputSchema: CancelInput.shape,
    },
    answered(caller, CancelInput, async ({ id }) => {
      await cancel(services.db, { tenant: may("cancel").tenant }, id);
      return show(await read(id));
    }),
  );

  server.registerTool(
    "list_characters",
    {
      title: "List characters",
      description: "The characters that can be drawn, with example prompts and dialogues.",
      inputSchema: {},
      annotations: { readOnlyHint: true },
    },
    answered(caller, z.object({}), async () => {
      const pack = await packOf(services, may("read").tenant);
      const characters = pack.characters.map(({ name, label, suggestions }) => ({
        name,
        label,
        suggestions,
      }));
      return { characters, together: pack.pair_suggestions };
    }),
  );
  return server;
}

async function summary(services: Services, job: JobWithResults, origin: string) {
  const { id, status, stage, progress, error, warnings, results, spec } = await toRender(
    job,
    linksFor(services, origin),
  );
  const seed = spec.clip?.seed ?? spec.speech?.seed;
  return {
    id,
    status,
    stage,
    progress,
    seed,
    error,
    warnings,
    urls: Object.fromEntries(results.map((one) => [one.name, one.url])),
  };
}

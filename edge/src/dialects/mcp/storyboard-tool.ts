import { getStoryboard } from "@cartoon/db";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
import { checkScope } from "../../middleware/require-scope.ts";
import { linksFor } from "../../renders/links.ts";
import { waitForJob } from "../../renders/live.ts";
import type { Services } from "../../services.ts";
import { submitStoryboard } from "../../storyboards/submit.ts";
import { toStoryboard } from "../../storyboards/view.ts";
import { answered, type Caller, waitSeconds } from "./answered.ts";

const Shot = z.object({
  prompt: z.string().min(1).max(2000).describe("What the shot shows"),
  dialogue: z.string().min(1).max(8000).optional().describe("[S1] Temo: … [S2] Felfel: …"),
  characters: z.array(z.string()).max(8).optional(),
  transition: z.enum(["cut", "crossfade"]).optional().describe("Into the next shot; not for the last one"),
});
const Input = z.object({
  title: z.string().max(200).optional(),
  shots: z.array(Shot).min(1).max(32),
  style: z.string().min(1).max(1000).optional().describe("Added to the prompt of every shot"),
  seed: z.int().min(0).optional(),
  wait_seconds: waitSeconds,
});

/** The tool that makes several shots into one clip. Its id is good for `status` and `cancel` too. */
export function addStoryboardTool(server: McpServer, services: Services, caller: Caller): void {
  const { db, signals, stopping } = services;
  server.registerTool(
    "storyboard",
    {
      title: "Make a storyboard into one clip",
      description:
        "Draws several shots, each with a prompt and a dialogue of its own, and joins them with cuts or cross-fades. Returns an id, the state of each shot and, when it is done in time, the URLs.",
      inputSchema: Input.shape,
    },
    answered(caller, Input, async ({ wait_seconds = 0, ...request }) => {
      const principal = checkScope(caller.principal, "render");
      const reader = { tenant: principal.tenant };
      const { job } = await submitStoryboard(services, principal, request);
      const { board } = await getStoryboard(db, reader, job.id);
      await waitForJob(db, signals, board, wait_seconds * 1000, stopping);
      const made = await toStoryboard(
        await getStoryboard(db, reader, job.id),
        linksFor(services, caller.origin),
      );
      const { id, status, progress, shots_done, error, results } = made;
      const shots = made.shots.map((shot) => ({ id: shot.id, status: shot.status, error: shot.error }));
      const urls = Object.fromEntries(results.map((one) => [one.name, one.url]));
      return { id, status, progress, shots_done, shots, error, urls };
    }),
  );
}

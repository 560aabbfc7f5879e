import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { text } from "node:stream/consumers";
import { defineCommand } from "citty";
import type { EdgeClient, Storyboard } from "../../lib/edge-client.ts";
import { size, storyboardWithBar } from "../../lib/progress.ts";
import { saveResults } from "../../lib/save.ts";
import { EXIT, Interrupted, UsageError } from "../exit.ts";
import { EDGE_ARGS, withEdge } from "../with-edge.ts";

const args = {
  board: {
    type: "positional",
    description: "JSON file: the body of POST /v1/storyboards; - reads it from stdin",
  },
  out: { type: "string", alias: "o", description: "File to write", default: "storyboard.mp4" },
  all: { type: "boolean", description: "Write GIF, WAV, poster, captions and manifest beside it" },
  ...EDGE_ARGS,
} as const;

/** @throws UsageError when there is no JSON in the file */
export async function readBoard(file: string): Promise<unknown> {
  const content = await (file === "-" ? text(process.stdin) : readFile(file, "utf8")).catch(
    (error: unknown) => {
      throw new UsageError(`${file} can't be read: ${error instanceof Error ? error.message : error}`);
    },
  );
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

async function renderAt(client: EdgeClient, board: unknown, signal: AbortSignal): Promise<Storyboard> {
  const { id } = await client.submitStoryboard(board);
  try {
    return await storyboardWithBar(client, id, signal);
  } catch (error) {
    if (error instanceof Interrupted) await client.cancelStoryboard(id);
    throw error;
  }
}

function note(where: string, warnings: Storyboard["warnings"]): void {
  for (const { field, given, used, rule } of warnings)
    console.error(`note: ${where}${field} ${given} → ${used} (${rule})`);
}

export const storyboard = defineCommand({
  meta: {
    name: "storyboard",
    description: "Several shots as one clip: cartoon storyboard board.json -o out.mp4",
  },
  args,
  async run({ args }) {
    if (!args.board) throw new UsageError("give the JSON file of a storyboard");
    const board = await readBoard(args.board);
    return withEdge(args, async (client, signal) => {
      const done = await renderAt(client, board, signal);
      if (done.status !== "succeeded")
        throw new Error(done.error?.message ?? `the storyboard is ${done.status}`);
      for (const [index, shot] of done.shots.entries()) note(`shot ${index + 1}: `, shot.warnings);
      note("", done.warnings);
      for (const { path, bytes } of await saveResults(client, done, args.out, args.all ?? false))
        console.log(`${relative(process.cwd(), path)}  ${size(bytes)}`);
      return EXIT.ok;
    });
  },
});

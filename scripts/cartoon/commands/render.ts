import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { defineCommand } from "citty";
import { z } from "zod";
import type { EdgeClient, Render } from "../../lib/edge-client.ts";
import { followWithBar, size } from "../../lib/progress.ts";
import { saveResults } from "../../lib/save.ts";
import { EXIT, Interrupted, UsageError } from "../exit.ts";
import { EDGE_ARGS, withEdge } from "../with-edge.ts";

const args = {
  prompt: { type: "positional", description: "What the clip shows", required: false },
  say: { type: "string", description: 'Dialogue, e.g. "[S1] Temo: Hello! [S2] Felfel: Hi!"' },
  out: { type: "string", alias: "o", description: "File to write", default: "cartoon.mp4" },
  all: { type: "boolean", description: "Write GIF, WAV, poster, captions and manifest beside it" },
  character: {
    type: "string",
    alias: "c",
    description: "temo, felfel or both; default: those that the prompt names",
  },
  negative: { type: "string", description: "What the clip should not show" },
  seed: { type: "string", description: "The same seed gives the same clip" },
  frames: { type: "string", description: "Number of frames" },
  fps: { type: "string", description: "Frames per second" },
  size: { type: "string", description: "WIDTHxHEIGHT" },
  steps: { type: "string", description: "Denoising steps" },
  guidance: { type: "string", description: "Guidance scale of the picture" },
  fit: { type: "string", description: "pingpong, loop, hold, trim, pad or extend" },
  pack: { type: "string", description: "Model pack" },
  manifest: { type: "string", description: "Render again what a manifest.json describes" },
  ...EDGE_ARGS,
} as const;

interface RenderArgs {
  prompt?: string;
  say?: string;
  character?: string;
  negative?: string;
  seed?: string;
  frames?: string;
  fps?: string;
  size?: string;
  steps?: string;
  guidance?: string;
  fit?: string;
  pack?: string;
  manifest?: string;
}

function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new UsageError(`--${flag} takes a number, not "${text}"`);
  return value;
}

function dimensions(text: string | undefined): { width?: number; height?: number } {
  if (text === undefined) return {};
  const [, width, height] = /^(\d+)x(\d+)$/i.exec(text) ?? [];
  if (!width || !height) throw new UsageError(`--size takes WIDTHxHEIGHT, not "${text}"`);
  return { width: Number(width), height: Number(height) };
}

/** Drops what was not given, so that the edge's own defaults apply. */
const given = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;

/** The body of `POST /v1/renders`. */
export async function requestOf(args: RenderArgs): Promise<unknown> {
  if (args.manifest) {
    const text = await readFile(args.manifest, "utf8");
    return z.object({ spec: z.record(z.string(), z.unknown()) }).parse(JSON.parse(text)).spec;
  }
  if (!args.prompt && !args.say) throw new UsageError('give a prompt, --say "…" or both');
  const characters = args.character === "both" ? ["temo", "felfel"] : args.character?.split(",");
  const clip = given({
    num_frames: number("frames", args.frames),
    fps: number("fps", args.fps),
    num_inference_steps: number("steps", args.steps),
    guidance_scale: number("guidance", args.guidance),
    ...dimensions(args.size),
  });
  return given({
    prompt: args.prompt,
    negative_prompt: args.negative,
    dialogue: args.say,
    characters,
    seed: number("seed", args.seed),
    pack: args.pack,
    clip: args.prompt && Object.keys(clip).length > 0 ? clip : undefined,
    output: args.fit ? { fit: args.fit } : undefined,
  });
}

async function renderAt(client: EdgeClient, request: unknown, signal: AbortSignal): Promise<Render> {
  const { id } = await client.submit(request);
  try {
    return await followWithBar(client, id, signal);
  } catch (error) {
    if (error instanceof Interrupted) await client.cancel(id);
    throw error;
  }
}

export const render = defineCommand({
  meta: {
    name: "render",
    description:
      'One clip from the terminal: cartoon render "temo on the moon" --say "[S1] Hello!" -o out.mp4',
  },
  args,
  async run({ args }) {
    const request = await requestOf(args);
    return withEdge(args, async (client, signal) => {
      const done = await renderAt(client, request, signal);
      if (done.status !== "succeeded") throw new Error(done.error?.message ?? `the render is ${done.status}`);
      for (const { field, given, used, rule } of done.warnings)
        console.error(`note: ${field} ${given} → ${used} (${rule})`);
      for (const { path, bytes } of await saveResults(client, done, args.out, args.all ?? false)) {
        console.log(`${relative(process.cwd(), path)}  ${size(bytes)}`);
      }
      return EXIT.ok;
    });
  },
});

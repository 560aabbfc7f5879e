// `bun run demo`: the whole product on this machine, from a prompt over HTTP to an MP4 of two talking characters.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { EdgeClient, type Render } from "../lib/edge-client.ts";
import { followWithBar, size } from "../lib/progress.ts";
import { root } from "../lib/root.ts";
import { saveResults } from "../lib/save.ts";
import { nodeReady, type Stack, startStack } from "../lib/stack.ts";
import { REQUEST } from "./request.ts";
import { toldLines } from "./told-lines.ts";

/** Renders the request, and notes when something of it can first be heard and seen. */
async function render(stack: Stack): Promise<{ done: Render; previews: string[] }> {
  const client = new EdgeClient(stack.url);
  const started = performance.now();
  const first = new Map<string, number>();
  const { id } = await client.submit(REQUEST);
  const done = await followWithBar(client, id, undefined, ({ type, data }) => {
    if (type !== "preview") return;
    const kind = String(data.content_type).startsWith("audio/") ? "sound" : "picture";
    if (!first.has(kind)) first.set(kind, (performance.now() - started) / 1000);
  });
  if (done.status !== "succeeded") throw new Error(done.error?.message ?? `the render is ${done.status}`);
  return { done, previews: [...first].map(([kind, at]) => `${kind} after ${at.toFixed(1)} s`) };
}

async function main(): Promise<void> {
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  const dataDir = await mkdtemp(join(tmpdir(), "cartoon-demo-"));
  console.log(`Prompt    ${REQUEST.prompt}\nDialogue  ${REQUEST.dialogue}\n`);
  let stack: Stack | undefined;
  const interrupted = Promise.withResolvers<never>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.reject(new Error("interrupted")));
  }
  try {
    stack = await startStack({
      host: "127.0.0.1",
      port: 0,
      dataDir,
      verbose: process.env.CARTOON_DEBUG === "1",
    });
    await Promise.race([nodeReady(stack.url), stack.failed, interrupted.promise]);
    console.log(`Edge and node are up at ${stack.url}, models loaded, after ${seconds()} s`);
    const { done, previews } = await Promise.race([render(stack), stack.failed, interrupted.promise]);
    const saved = await saveResults(new EdgeClient(stack.url), done, join(root, "out/demo.mp4"), true);
    const stages = done.receipt?.stages
      .map(({ stage, seconds }) => `${stage} ${seconds.toFixed(1)} s`)
      .join(", ");
    console.log(`\nDone in ${seconds()} s (${stages}); first ${previews.join(", first ")}`);
    const manifest = saved.find(({ path }) => path.endsWith(".manifest.json"));
    for (const line of manifest ? await toldLines(manifest.path) : []) console.log(`  ${line}`);
    for (const { path, bytes, seconds } of saved) {
      console.log(
        `  ${relative(process.cwd(), path)}  ${size(bytes)}${seconds ? `, ${seconds.toFixed(1)} s` : ""}`,
      );
    }
    for (const { field, given, used, rule } of done.warnings)
      console.log(`  note: ${field} ${given} → ${used || "left out"} (${rule})`);
    console.log(`\nThe cartoon is at ${saved[0]?.path}`);
  } finally {
    await stack?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);

// `bun run demo`: the whole product on this machine, from a prompt over HTTP to an MP4 of two talking characters.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { EdgeClient, type Render } from "../lib/edge-client.ts";
import { followWithBar, size } from "../lib/progress.ts";
import { root } from "../lib/root.ts";
import { saveResults } from "../lib/save.ts";
import { nodeReady, type Stack, startStack } from "../lib/stack.ts";

// The two-character example of the product's brief.
const REQUEST = {
  characters: ["temo", "felfel"],
  prompt:
    "temo and felfel characters working together on moon base, both characters clearly visible, temo in space suit on left, felfel in adventure gear on right, epic lighting",
  dialogue: "[S1] Temo: Welcome to our lunar base, Felfel! [S2] Felfel: This technology is incredible, Temo!",
  seed: 42,
};

async function render(stack: Stack): Promise<Render> {
  const client = new EdgeClient(stack.url);
  const { id } = await client.submit(REQUEST);
  const done = await followWithBar(client, id);
  if (done.status !== "succeeded") throw new Error(done.error?.message ?? `the render is ${done.status}`);
  return done;
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
    const done = await Promise.race([render(stack), stack.failed, interrupted.promise]);
    const saved = await saveResults(new EdgeClient(stack.url), done, join(root, "out/demo.mp4"), true);
    const stages = done.receipt?.stages
      .map(({ stage, seconds }) => `${stage} ${seconds.toFixed(1)} s`)
      .join(", ");
    console.log(`\nDone in ${seconds()} s (${stages})`);
    for (const { path, bytes, seconds } of saved) {
      console.log(
        `  ${relative(process.cwd(), path)}  ${size(bytes)}${seconds ? `, ${seconds.toFixed(1)} s` : ""}`,
      );
    }
    for (const { field, given, used, rule } of done.warnings)
      console.log(`  note: ${field} ${given} → ${used} (${rule})`);
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

import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandDef, defineCommand } from "citty";
import { EdgeClient } from "../../lib/edge-client.ts";
import { followWithBar } from "../../lib/progress.ts";
import { root } from "../../lib/root.ts";
import { nodeReady, startStack } from "../../lib/stack.ts";
import { aborted, EXIT, interruption, UsageError } from "../exit.ts";
import { passesOn } from "../flags.ts";

const REQUEST = {
  prompt: "temo and felfel exploring alien planet together, epic adventure",
  dialogue: "[S1] Temo: Look at this incredible landscape! [S2] Felfel: Amazing discovery!",
  characters: ["temo", "felfel"],
  seed: 42,
};

interface Manifest {
  pack: { name: string };
  device: string;
  timings: Record<string, number>;
}

const seconds = (value: number): string => value.toFixed(2).padStart(9);

function table(runs: Manifest[], walls: number[]): string {
  const stages = [...new Set(runs.flatMap(({ timings }) => Object.keys(timings)))];
  const head = `${"stage".padEnd(16)}${runs.map((_, index) => `run ${index + 1}`.padStart(9)).join("")}`;
  const rows = stages.map(
    (stage) => stage.padEnd(16) + runs.map(({ timings }) => seconds(timings[stage] ?? 0)).join(""),
  );
  return [head, ...rows, "whole render".padEnd(16) + walls.map(seconds).join("")].join("\n");
}

const whole = defineCommand({
  meta: {
    name: "render",
    description:
      "Seconds that each stage of a two-character render takes here: cartoon bench render --runs 3",
  },
  args: {
    runs: {
      type: "string",
      description: "Renders, one after another; the first also warms up",
      default: "2",
    },
    pack: { type: "string", description: "Model pack" },
    url: { type: "string", description: "An edge that runs already; default: one is started" },
    key: { type: "string", description: "API key for it; default: CARTOON_API_KEY" },
  },
  async run({ args }) {
    const count = Number(args.runs);
    if (!Number.isInteger(count) || count < 1)
      throw new UsageError(`--runs takes a whole number, not "${args.runs}"`);
    const signal = interruption();
    const folder = await mkdtemp(join(tmpdir(), "cartoon-bench-"));
    const stack = args.url ? undefined : await startStack({ host: "127.0.0.1", port: 0, dataDir: folder });
    try {
      const url = args.url ?? stack?.url ?? "";
      const failed = stack?.failed ?? aborted(signal);
      if (stack) await Promise.race([nodeReady(url), failed, aborted(signal)]);
      const client = new EdgeClient(url, args.key ?? process.env.CARTOON_API_KEY);
      const manifests: Manifest[] = [];
      const walls: number[] = [];
      for (let index = 0; index < count; index++) {
        const started = performance.now();
        const { id } = await client.submit({ ...REQUEST, pack: args.pack });
        const done = await Promise.race([followWithBar(client, id, signal), failed]);
        if (done.status !== "succeeded")
          throw new Error(done.error?.message ?? `the render is ${done.status}`);
        walls.push((performance.now() - started) / 1000);
        const manifest = done.results.find(({ name }) => name === "manifest.json")?.url ?? "";
        manifests.push(JSON.parse(new TextDecoder().decode(await client.download(manifest))));
      }
      const [first] = manifests;
      console.log(
        `pack ${first?.pack.name} on ${first?.device}; ${cpus()[0]?.model}, ${availableParallelism()} cores; seconds`,
      );
      console.log(table(manifests, walls));
      return EXIT.ok;
    } finally {
      await stack?.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
});

/** A benchmark with a program and flags of its own. */
function program(name: string, file: string, description: string): CommandDef {
  return passesOn(
    defineCommand({
      meta: { name, description },
      async run({ rawArgs }) {
        const child = Bun.spawn([process.execPath, join(root, file), ...rawArgs], {
          stdio: ["inherit", "inherit", "inherit"],
        });
        return (await child.exited) === 0 ? EXIT.ok : EXIT.failed;
      },
    }),
  );
}

export const bench = defineCommand({
  meta: {
    name: "bench",
    description: "How fast this machine is: cartoon bench render|picture|voice|database|edge",
  },
  subCommands: {
    render: whole,
    picture: program(
      "picture",
      "gpu-pool/bench/unet.ts",
      "The picture graphs of a pack on the CPU: cartoon bench picture --steps 5",
    ),
    voice: program("voice", "gpu-pool/bench/voice.ts", "The voice of a pack: cartoon bench voice"),
    database: program(
      "database",
      "db/bench/enqueue.ts",
      "Jobs taken and read a second: cartoon bench database 4",
    ),
    edge: program(
      "edge",
      "edge/bench/bench.ts",
      "Submissions, watchers, lists over HTTP: cartoon bench edge --only submissions",
    ),
  },
});

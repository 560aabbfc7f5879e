import { defineCommand } from "citty";
import { type Finding, findings, nodeFinding } from "../doctor/findings.ts";
import { findGpus, gpuFindings } from "../doctor/gpu/checks.ts";
import { fixGpu } from "../doctor/gpu/fix.ts";
import { thisMachine } from "../doctor/gpu/machine.ts";
import { cudaDir } from "../environment.ts";
import { EXIT, interruption } from "../exit.ts";

const MARKS = { ok: "ok  ", note: "note", bad: "BAD " } as const;

function show({ name, state, detail, advice }: Finding): void {
  console.log(`${MARKS[state]}  ${name.padEnd(10)} ${detail}`);
  if (advice) console.log(`${" ".repeat(17)}→ ${advice}`);
}

interface Wishes {
  fix: boolean;
  image: boolean;
  packages: string | undefined;
  provider: string | undefined;
}

/** Everything that a render needs here, mended first where that is asked for. */
async function* examine({ fix, image, packages, provider }: Wishes): AsyncGenerator<Finding> {
  const machine = await thisMachine(cudaDir);
  const options = { origin: packages, wheel: provider, signal: interruption() };
  if (image) {
    yield* fixGpu(machine, { ...options, libraries: false });
    return;
  }
  yield* findings();
  const gpus = await findGpus();
  if (fix && gpus) yield* fixGpu(machine, { ...options, libraries: true });
  yield* gpuFindings(machine, gpus);
}

export const doctor = defineCommand({
  meta: { name: "doctor", description: "Is everything here that a render needs? Says what to do where not" },
  args: {
    node: { type: "string", description: "Ask only whether the node at HOST:PORT can work" },
    fix: { type: "boolean", description: "Install what a GPU needs: the CUDA provider, CUDA 13, cuDNN 9" },
    image: { type: "boolean", description: "Only put the CUDA provider in place, for an image" },
    packages: {
      type: "string",
      description: "For --fix and --image: https://HOST where the Python index you use keeps its files",
    },
    provider: { type: "string", description: "A wheel with the provider, for another version of CUDA" },
  },
  async run({ args }) {
    let bad = false;
    const { packages, provider } = args;
    const wishes = { fix: args.fix === true, image: args.image === true, packages, provider };
    for await (const finding of args.node ? nodeFinding(args.node) : examine(wishes)) {
      show(finding);
      bad ||= finding.state === "bad";
    }
    return bad ? EXIT.failed : EXIT.ok;
  },
});

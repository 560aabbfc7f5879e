// `bun scripts/compile/compile.ts [--out FOLDER] [TARGET …|all]`: the edge as one file per platform.
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../lib/root.ts";
import { embedProtos } from "./embed-protos.ts";
import { fileOf, isTarget, ownTarget, TARGETS, type Target } from "./targets.ts";

/**
 * Compiles the edge with everything that it reads at its start: protos, migrations, the form, Swagger UI.
 * @param runtime compile for the Bun that runs this instead of a downloaded one
 * @returns path of the program
 * @throws AggregateError of what the bundler found
 */
export async function compileEdge(folder: string, target: Target, runtime?: "own"): Promise<string> {
  await mkdir(folder, { recursive: true });
  const outfile = join(folder, fileOf(target));
  await Bun.build({
    entrypoints: [join(root, "scripts/compile/edge.ts")],
    plugins: [embedProtos],
    minify: { syntax: true, whitespace: true },
    compile: { outfile, ...(runtime === "own" ? {} : { target: TARGETS[target] }) },
  });
  return outfile;
}

function wanted(names: string[]): Target[] {
  if (names.length === 0) {
    const own = ownTarget();
    if (!own) throw new Error(`name a platform: ${Object.keys(TARGETS).join(", ")}`);
    return [own];
  }
  if (names.includes("all")) return Object.keys(TARGETS).filter(isTarget);
  return names.map((name) => {
    if (!isTarget(name)) throw new Error(`no platform "${name}": ${Object.keys(TARGETS).join(", ")}, all`);
    return name;
  });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: "string", default: "out" } },
  });
  for (const target of wanted(positionals)) {
    const file = await compileEdge(resolve(values.out), target);
    console.log(`${file}  ${(Bun.file(file).size / 1e6).toFixed(0)} MB`);
  }
}

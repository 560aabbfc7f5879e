import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { root } from "../lib/root.ts";
import { boundaryProblems, readManifests } from "./boundaries.ts";
import { type CommandResult, packageBin, runCommand } from "./command.ts";

export interface StaticCheck {
  name: string;
  run: () => Promise<CommandResult>;
}

const PACKAGES = ["protos", "db", "edge", "gpu-pool", "scripts"];

/** Path of the Deno binary that the npm package brings for this machine; its install script is not needed. */
export function denoBinary(): string {
  const require = createRequire(import.meta.url);
  const libc = process.platform === "linux" ? "-glibc" : "";
  const name = `@deno/${process.platform}-${process.arch}${libc}`;
  const file = process.platform === "win32" ? "deno.exe" : "deno";
  return join(require.resolve(`${name}/package.json`), "..", file);
}

async function boundaries(): Promise<CommandResult> {
  const files = PACKAGES.flatMap((folder) =>
    [...new Glob("**/*.ts").scanSync({ cwd: join(root, folder) })]
      .filter((path) => !/(^|\/)(node_modules|dist|gen)\//.test(path))
      .map((path) => `${folder}/${path}`),
  );
  const sources = files.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  const problems = boundaryProblems(sources, readManifests(root));
  return { code: problems.length > 0 ? 1 : 0, output: problems.join("\n") };
}

/** Generates the types of the protos anew and compares them with what is committed. */
async function protosFresh(): Promise<CommandResult> {
  const folder = mkdtempSync(join(tmpdir(), "cartoon-protos-"));
  try {
    const options = [
      "--keepCase",
      "--longs=Number",
      "--enums=String",
      "--defaults",
      "--oneofs",
      "--includeComments",
    ];
    const generated = await runCommand(
      [
        ...packageBin("proto-loader-gen-types"),
        ...options,
        ...["--grpcLib=@grpc/grpc-js", "--importFileExtension=.ts"],
        ...["-I", ".", "-O", join(folder, "gen")],
        ...["render", "node", "job", "attach"].map((name) => `cartoon/v1/${name}.proto`),
      ],
      { cwd: "protos" },
    );
    if (generated.code !== 0) return generated;
    const stale = differences(join(folder, "gen"), join(root, "protos/gen"));
    return {
      code: stale.length > 0 ? 1 : 0,
      output: stale.map((file) => `protos/gen/${file} is stale`).join("\n"),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function differences(fresh: string, committed: string): string[] {
  const list = (folder: string) => [...new Glob("**/*.ts").scanSync({ cwd: folder })];
  const text = (folder: string, file: string) => {
    try {
      return readFileSync(join(folder, file), "utf8");
    } catch {
      return undefined;
    }
  };
  const files = new Set([...list(fresh), ...list(committed)]);
  return [...files].filter((file) => text(fresh, file) !== text(committed, file)).sort();
}

const denoEntries = ["protos/src/index.ts", "db/src/index.ts", "edge/src/entries/deno.ts"];

export const staticChecks: StaticCheck[] = [
  {
    name: "format and lint",
    run: () => runCommand([...packageBin("biome"), "check", "--max-diagnostics=50", "."]),
  },
  { name: "types (tsc)", run: () => runCommand([...packageBin("tsc"), "--noEmit", "-p", "."]) },
  { name: "types (deno check)", run: () => runCommand([denoBinary(), "check", ...denoEntries]) },
  { name: "import boundaries", run: boundaries },
  { name: "protos fresh", run: protosFresh },
  { name: "protos lint (buf)", run: () => runCommand([...packageBin("buf"), "lint"], { cwd: "protos" }) },
];

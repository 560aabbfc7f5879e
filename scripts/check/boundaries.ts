import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { type ImportOf, importsOf } from "./imports.ts";

/** Which packages of this repository a package may import. */
const ALLOWED: Record<string, readonly string[]> = {
  protos: [],
  db: ["protos"],
  edge: ["protos", "db"],
  "gpu-pool": ["protos"],
  scripts: ["protos", "db", "edge", "gpu-pool"],
};

/** Packages and modules that only one folder may touch. */
const OWNERS: readonly { specifier: RegExp; within: string; only: readonly string[] }[] = [
  { specifier: /^onnxruntime-(node|common)$/, within: "", only: ["gpu-pool/src/onnx/"] },
  { specifier: /^(ffmpeg-static|@ffmpeg-installer\/)/, within: "gpu-pool/", only: ["gpu-pool/src/media/"] },
  { specifier: /^(node:)?child_process$/, within: "gpu-pool/src/", only: ["gpu-pool/src/media/"] },
  { specifier: /^bun:/, within: "edge/src/", only: ["edge/src/entries/"] },
];

/** Processes that must never load the native library, by their first file. */
const NEVER_ONNX = ["gpu-pool/src/main.ts", "gpu-pool/src/index.ts"];

/** What dialects have in common, and the v5 contract, whose fields most of them carry. */
const COMMON_DIALECTS = ["shared", "v5"];

const TEST = /\.test\.ts$|(^|\/)(test|testing|fixtures)\//;

export interface SourceFile {
  /** Path from the root of the repository, with forward slashes. */
  path: string;
  text: string;
}

/** Every import that goes the wrong way, as `file: what`. */
export function boundaryProblems(files: readonly SourceFile[], manifests: Manifests): string[] {
  const imports = new Map(files.map(({ path, text }) => [path, importsOf(text)]));
  const problems: string[] = [];
  for (const [path, list] of imports) {
    for (const { specifier, typeOnly } of list) {
      const problem = wrongWay(path, specifier, typeOnly) ?? undeclared(path, specifier, manifests);
      if (problem) problems.push(`${path}: ${problem}`);
    }
  }
  for (const entry of NEVER_ONNX) {
    const chain = pathTo(entry, imports, (specifier) => /^onnxruntime/.test(specifier));
    if (chain) problems.push(`${entry}: reaches onnxruntime-node by ${chain.join(" → ")}`);
  }
  return problems.sort();
}

const packageOf = (path: string): string => path.split("/", 1)[0] ?? "";

function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return normalize(join(dirname(path), specifier));
  return /^@cartoon\/([^/]+)/.exec(specifier)?.[1];
}

function wrongWay(path: string, specifier: string, typeOnly: boolean): string | undefined {
  const from = packageOf(path);
  const target = targetOf(path, specifier);
  if (target !== undefined) {
    const to = packageOf(target);
    if (!(to in ALLOWED)) return undefined;
    if (to !== from && !ALLOWED[from]?.includes(to)) return `${from} must not import ${to} (${specifier})`;
    if (to !== from && specifier.startsWith(".")) return `another package is imported by path (${specifier})`;
    const dialect = dialectOf(path);
    const other = specifier.startsWith(".") ? dialectOf(target) : undefined;
    if (dialect && other && !COMMON_DIALECTS.includes(other) && dialect !== other && !TEST.test(path))
      return `dialect ${dialect} imports dialect ${other}`;
  }
  for (const { specifier: owned, within, only } of OWNERS) {
    if (!owned.test(specifier) || !path.startsWith(within) || TEST.test(path) || typeOnly) continue;
    if (!only.some((folder) => path.startsWith(folder)))
      return `only ${only.join(", ")} may import ${specifier}`;
  }
  return undefined;
}

const dialectOf = (path: string): string | undefined => /^edge\/src\/dialects\/([^/.]+)\//.exec(path)?.[1];

/** Names that each package's own package.json declares. */
export type Manifests = Record<string, ReadonlySet<string>>;

export function readManifests(root: string): Manifests {
  const read = (folder: string) => {
    const json: Record<string, Record<string, string> | undefined> = JSON.parse(
      readFileSync(join(root, folder, "package.json"), "utf8"),
    );
    const fields = ["dependencies", "devDependencies", "optionalDependencies"];
    return fields.flatMap((field) => Object.keys(json[field] ?? {}));
  };
  const shared = read(".");
  return Object.fromEntries(Object.keys(ALLOWED).map((name) => [name, new Set([...shared, ...read(name)])]));
}

function undeclared(path: string, specifier: string, manifests: Manifests): string | undefined {
  if (/^(\.|node:|bun(:|$)|https?:|npm:|jsr:|\/)/.test(specifier)) return undefined;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const declared = manifests[packageOf(path)];
  return !declared || declared.has(name) ? undefined : `${name} is not in ${packageOf(path)}/package.json`;
}

/** The chain of runtime imports from `entry` to the first specifier that `matches`. */
function pathTo(
  entry: string,
  imports: ReadonlyMap<string, ImportOf[]>,
  matches: (specifier: string) => boolean,
): string[] | undefined {
  const seen = new Set<string>();
  const visit = (path: string): string[] | undefined => {
    if (seen.has(path)) return undefined;
    seen.add(path);
    for (const { specifier, typeOnly } of imports.get(path) ?? []) {
      if (typeOnly) continue;
      if (matches(specifier)) return [path, specifier];
      const target = specifier.startsWith(".") ? targetOf(path, specifier) : undefined;
      const rest = target === undefined ? undefined : visit(target);
      if (rest) return [path, ...rest];
    }
    return undefined;
  };
  return visit(entry);
}

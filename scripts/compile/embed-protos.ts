import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { BunPlugin } from "bun";
import { root } from "../lib/root.ts";

const fromEdge = createRequire(join(root, "edge/package.json"));
const folderOf = (name: string) => dirname(fromEdge.resolve(`${name}/package.json`));

/** Every proto that the edge or a library of it loads, by the end of the path that it asks for. */
function protoTexts(): Record<string, string> {
  const folders: Record<string, string[]> = {
    [join(root, "protos")]: ["attach", "job", "node", "render"].map((name) => `cartoon/v1/${name}.proto`),
    [join(folderOf("grpc-health-check"), "proto")]: ["health/v1/health.proto"],
    [join(folderOf("@grpc/reflection"), "build/proto")]: ["v1", "v1alpha"].map(
      (version) => `grpc/reflection/${version}/reflection.proto`,
    ),
  };
  return Object.fromEntries(
    Object.entries(folders).flatMap(([folder, files]) =>
      files.map((file) => [file, readFileSync(join(folder, file), "utf8")]),
    ),
  );
}

/** Runs inside the compiled program in place of proto-loader's reading from disk. */
const LOADER = `
const texts = TEXTS;
exports.loadProtosWithOptionsSync = function (filename, options = {}) {
  const root = new Protobuf.Root();
  const seen = new Set();
  const add = (asked) => {
    const name = Object.keys(texts).find((known) => asked.replaceAll("\\\\", "/").endsWith(known));
    if (name === undefined) throw new Error(asked + " is not part of this program");
    if (seen.has(name)) return;
    seen.add(name);
    Protobuf.parse.filename = name;
    const { imports = [], weakImports = [] } = Protobuf.parse(texts[name], root, options);
    for (const next of [...imports, ...weakImports]) if (!next.startsWith("google/protobuf/")) add(next);
  };
  for (const one of [filename].flat()) add(one);
  root.resolveAll();
  return root;
};
`;

/** Puts the protos into the program: `@grpc/proto-loader` finds them there. */
export const embedProtos: BunPlugin = {
  name: "embed-protos",
  setup(build) {
    build.onLoad({ filter: /proto-loader[\\/]build[\\/]src[\\/]util\.js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, "utf8")}\n${LOADER.replace("TEXTS", () => JSON.stringify(protoTexts()))}`,
      loader: "js",
    }));
  },
};

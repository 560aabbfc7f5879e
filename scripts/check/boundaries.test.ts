import { describe, expect, test } from "bun:test";
import { boundaryProblems } from "./boundaries.ts";
import { importsOf } from "./imports.ts";

const none = {
  protos: new Set<string>(),
  db: new Set<string>(),
  edge: new Set(["hono"]),
  "gpu-pool": new Set(["onnxruntime-node", "@cartoon/protos"]),
  scripts: new Set<string>(),
};
const problems = (path: string, text: string, ...more: { path: string; text: string }[]) =>
  boundaryProblems([{ path, text }, ...more], none);

test("imports of every form are found, and types are told apart", () => {
  const text = [
    'import type { A } from "a";',
    'import {\n  b,\n  type C,\n} from "./b.ts";',
    'export * from "./c.ts";',
    'import "./d.ts";',
    'const e = await import("node:fs"); const f = require("node:os");',
  ].join("\n");
  expect(importsOf(text)).toEqual([
    { specifier: "a", typeOnly: true },
    { specifier: "./b.ts", typeOnly: false },
    { specifier: "./c.ts", typeOnly: false },
    { specifier: "./d.ts", typeOnly: false },
    { specifier: "node:fs", typeOnly: false },
    { specifier: "node:os", typeOnly: false },
  ]);
});

describe("the direction of imports", () => {
  test("edge and gpu-pool keep apart, types included", () => {
    expect(problems("edge/src/a.ts", 'import type { X } from "@cartoon/gpu-pool/env";')).toEqual([
      "edge/src/a.ts: edge must not import gpu-pool (@cartoon/gpu-pool/env)",
    ]);
    expect(problems("gpu-pool/src/a.ts", 'import { x } from "../../db/src/index.ts";')).toHaveLength(1);
  });
  test("one dialect does not lean on another", () => {
    expect(problems("edge/src/dialects/fal/a.ts", 'import { x } from "../cog/b.ts";')).toHaveLength(1);
    expect(problems("edge/src/dialects/fal/a.ts", 'import { x } from "./b.ts";')).toEqual([]);
  });
  test("a package that package.json does not name", () => {
    expect(problems("edge/src/a.ts", 'import { z } from "zod";')).toEqual([
      "edge/src/a.ts: zod is not in edge/package.json",
    ]);
    expect(problems("edge/src/a.ts", 'import { Hono } from "hono/tiny";')).toEqual([]);
  });
});

describe("ONNX Runtime and ffmpeg", () => {
  test("have one owner each", () => {
    expect(problems("gpu-pool/src/pipelines/a.ts", 'import * as ort from "onnxruntime-node";')).toHaveLength(
      1,
    );
    expect(problems("gpu-pool/src/onnx/a.ts", 'import * as ort from "onnxruntime-node";')).toEqual([]);
    expect(problems("gpu-pool/src/runner/a.ts", 'import { spawn } from "node:child_process";')).toHaveLength(
      1,
    );
  });
  test("the supervisor never gets to ONNX Runtime, by however many steps", () => {
    const found = problems(
      "gpu-pool/src/main.ts",
      'import { a } from "./a.ts";\nimport type { O } from "./onnx/o.ts";',
      { path: "gpu-pool/src/a.ts", text: 'export * from "./onnx/o.ts";' },
      { path: "gpu-pool/src/onnx/o.ts", text: 'import * as ort from "onnxruntime-node";' },
    );
    expect(found).toEqual([
      "gpu-pool/src/main.ts: reaches onnxruntime-node by gpu-pool/src/main.ts → gpu-pool/src/a.ts → gpu-pool/src/onnx/o.ts → onnxruntime-node",
    ]);
  });
});

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loraFile, wavFile } from "@cartoon/edge/test/character-files";
import { startHarness } from "@cartoon/edge/test/harness";
import { root } from "../lib/root.ts";
import { anchorsOf, documents, examplesOf, type Link, linksOf, pathsOf } from "./markdown.ts";

const h = await startHarness();
const folder = mkdtempSync(join(tmpdir(), "cartoon-docs-"));
// Files of the reader's own that examples send.
writeFileSync(join(folder, "nana.safetensors"), loraFile());
writeFileSync(join(folder, "nana.wav"), wavFile(3));
afterAll(async () => {
  await h.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** curl as the reader has it, except that a refusal by the edge is an exit code here. */
const PRELUDE = `set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
`;

async function run(script: string): Promise<{ code: number; output: string }> {
  const child = Bun.spawn(["bash", "-c", PRELUDE + script.replaceAll("http://localhost:8000", h.url)], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, error] = await Promise.all(
    [child.stdout, child.stderr].map((pipe) => new Response(pipe).text()),
  );
  return { code: await child.exited, output: `${out}${error}` };
}

function missing({ file, target }: Link, base: string): boolean {
  const [path = "", anchor] = target.split("#");
  const full = path === "" ? join(root, file) : join(base, path);
  if (!existsSync(full)) return true;
  return anchor !== undefined && full.endsWith(".md") && !anchorsOf(full).has(anchor);
}

const shown = ({ file, line, target }: Link) => `${file}:${line}: ${target}`;

describe("what the documents name is there", () => {
  test("links and anchors", () => {
    const broken = documents()
      .flatMap(linksOf)
      .filter((link) => missing(link, join(root, dirname(link.file))));
    expect(broken.map(shown)).toEqual([]);
  });

  test("paths in code", () => {
    const broken = documents()
      .flatMap(pathsOf)
      .filter((link) => missing(link, root));
    expect(broken.map(shown)).toEqual([]);
  });
});

// A machine with Node alone may lack the reader's tools; `.ci/run` brings them.
const absent = ["bash", "curl", "jq"].filter((tool) => Bun.which(tool) === null);
const runnable = documents()
  .flatMap(examplesOf)
  .filter(({ script }) => !absent.some((tool) => tool !== "jq" || /\bjq\b/.test(script)));
if (absent.length > 0) console.log(`${absent.join(", ")} not found: examples that use it are not run`);

describe("every example runs", () => {
  for (const { file, line, script, fails } of runnable)
    test(`${file}:${line}`, async () => {
      const { code, output } = await run(script);
      // 22 is curl's word for a refusal.
      expect({ code, output }).toMatchObject({ code: fails ? 22 : 0 });
      if (fails) expect(output).toContain('"code":"');
    });
});

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Glob } from "bun";
import { root } from "../lib/root.ts";
import { documents } from "./markdown.ts";

/** What tells people or machines how to start things. */
const FILES = [
  ...documents(),
  ...["Dockerfile.gpu", "compose.yaml", "deploy/edge/Dockerfile", ".runpod/config.yaml"],
  ...[".runpod/hub.json", ".runpod/tests.json"],
  ...new Glob("deploy/kubernetes/**/*.yaml").scanSync({ cwd: root }),
];
const textOf = (file: string) => readFileSync(`${root}/${file}`, "utf8");

/** `cartoon keys create --tenant me` as ["keys create", ["--tenant"]]. */
function callsIn(text: string): [string, string[]][] {
  const calls = text.matchAll(
    /(?:`|run |^)(?:bun run )?(?:cartoon|bun scripts\/cartoon\/main\.ts) ([a-z][^`\n#]*)/gm,
  );
  return [...calls].map((match) => {
    const words = (match[1] ?? "").trim().split(/\s+/);
    const end = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
    const command = words.slice(0, end === -1 ? undefined : end);
    const flags = words.filter((word) => /^--[a-z-]+$/.test(word));
    // "keys node gpu-1" and "models pull sdxl": what comes third is an argument.
    return [command.slice(0, GROUPS.has(command[0] ?? "") ? 2 : 1).join(" "), flags];
  });
}

const GROUPS = new Set(["keys", "models", "certs", "runpod"]);

async function help(command: string): Promise<{ code: number; text: string }> {
  const args = ["bun", "scripts/cartoon/main.ts", ...command.split(" "), "--help"];
  const child = Bun.spawn(args, { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
  const text = await new Response(child.stdout).text();
  return { code: await child.exited, text };
}

test("commands and flags that the documents name exist", async () => {
  const flagsOf = new Map<string, Set<string>>();
  for (const [command, flags] of FILES.flatMap((file) => callsIn(textOf(file)))) {
    const known = flagsOf.get(command) ?? new Set();
    for (const flag of flags) known.add(flag);
    flagsOf.set(command, known);
  }
  expect(flagsOf.size).toBeGreaterThan(8);
  const check = async ([command, flags]: [string, Set<string>]) => {
    const { code, text } = await help(command);
    expect([command, code]).toEqual([command, 0]);
    for (const flag of flags) expect(text, `cartoon ${command}`).toContain(flag);
  };
  await Promise.all([...flagsOf].map(check));
}, 60_000);

test("variables that the documents and deployments name are read somewhere", () => {
  const sources = ["edge/src", "gpu-pool/src", "scripts"].flatMap((folder) =>
    [...new Glob("**/*.ts").scanSync({ cwd: `${root}/${folder}` })]
      .filter((path) => !path.endsWith(".test.ts"))
      .map((path) => textOf(`${folder}/${path}`)),
  );
  const code = sources.join("\n");
  const named = FILES.flatMap((file) =>
    [...textOf(file).matchAll(/\b(?:CARTOON|S3)_[A-Z0-9_]*[A-Z0-9]\b/g)].map(([name]) => ({ file, name })),
  );
  const unknown = named.filter(({ name }) => !code.includes(name));
  expect(unknown.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
});

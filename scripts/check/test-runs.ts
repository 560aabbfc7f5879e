import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { root } from "../lib/root.ts";
import { type CommandResult, runCommand } from "./command.ts";

export interface Tally {
  passed: number;
  failed: number;
  output: string;
}

/** Colour codes out, so that summaries can be read. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colour codes begin with
const plain = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, "");

const last = (text: string, pattern: RegExp): number | undefined => {
  const found = [...text.matchAll(pattern)].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
};

/** Reads a runner's summary. A run that ended badly without saying so counts as one failure. */
export function tally({ code, output }: CommandResult, passed: RegExp, failed: RegExp): Tally {
  const text = plain(output);
  const bad = last(text, failed) ?? 0;
  return { passed: last(text, passed) ?? 0, failed: code !== 0 ? Math.max(1, bad) : bad, output: text };
}

const ignored = /(^|\/)(node_modules|dist|fixtures)\//;

export function testFiles(folder: string): string[] {
  const found = [...new Glob("**/*.test.ts").scanSync({ cwd: join(root, folder) })];
  return found
    .filter((path) => !ignored.test(path))
    .map((path) => `${folder}/${path}`)
    .sort();
}

export async function bunTests(workspace: string): Promise<Tally> {
  const files = testFiles(workspace);
  if (files.length === 0) return { passed: 0, failed: 0, output: "" };
  const result = await runCommand([process.execPath, "test", "--timeout=60000", `./${workspace}/`], {
    env: { NO_COLOR: "1" },
  });
  return tally(result, /^\s*(\d+) pass$/gm, /^\s*(\d+) fail$/gm);
}

// Tests that need Bun itself stay with Bun; all others of a portable package run on Deno too.
const NEEDS_BUN = /\bBun\.|from "bun"|import\("bun"\)|\bbun:(?!test\b)/;

export async function denoTests(deno: string, workspaces: readonly string[]): Promise<Tally> {
  const files = workspaces
    .flatMap(testFiles)
    .filter((path) => !NEEDS_BUN.test(readFileSync(join(root, path), "utf8")));
  if (files.length === 0) return { passed: 0, failed: 0, output: "" };
  const result = await runCommand([deno, "test", "--allow-all", "--no-check", ...files], {
    env: { NO_COLOR: "1" },
  });
  return tally(result, /(\d+) passed/g, /(\d+) failed/g);
}

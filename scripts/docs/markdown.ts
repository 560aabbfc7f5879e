import { readFileSync } from "node:fs";
import { Glob } from "bun";
import { root } from "../lib/root.ts";

export interface Example {
  /** Path from the root of the repository. */
  file: string;
  line: number;
  script: string;
  /** Every call of it must be refused. */
  fails: boolean;
}

export interface Link {
  file: string;
  line: number;
  target: string;
}

/** The documents that are held to what is there. */
export function documents(): string[] {
  return ["README.md", ...new Glob("docs/**/*.md").scanSync({ cwd: root })].sort();
}

const lineOf = (text: string, index: number) => text.slice(0, index).split("\n").length;

/** Shell examples under a `<!-- test -->` or `<!-- test fails -->` line. */
export function examplesOf(file: string): Example[] {
  const text = readFileSync(`${root}/${file}`, "utf8");
  return [...text.matchAll(/^<!-- test( fails)? -->\n```bash\n([\s\S]*?)^```$/gm)].map((match) => ({
    file,
    line: lineOf(text, match.index),
    fails: match[1] !== undefined,
    script: match[2] ?? "",
  }));
}

/** Every `](target)` outside of fenced blocks, images too; addresses elsewhere are left out. */
export function linksOf(file: string): Link[] {
  const text = readFileSync(`${root}/${file}`, "utf8").replace(/^```[\s\S]*?^```$/gm, (block) =>
    block.replace(/[^\n]/g, " "),
  );
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => ({ file, line: lineOf(text, match.index), target: match[1] ?? "" }))
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

/** The anchor that a heading gets where the documents are shown. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

/** Anchors of all headings of a document. */
export function anchorsOf(path: string): Set<string> {
  const text = readFileSync(path, "utf8").replace(/^```[\s\S]*?^```$/gm, "");
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1] ?? "")));
}

/** Paths of this repository that a document names in code, such as `edge/src/env.ts`. */
export function pathsOf(file: string): Link[] {
  const text = readFileSync(`${root}/${file}`, "utf8");
  const folders = "edge|gpu-pool|db|protos|scripts|deploy|docs";
  return [...text.matchAll(new RegExp(`\`((?:${folders})/[\\w./-]+)\``, "g"))].map((match) => ({
    file,
    line: lineOf(text, match.index),
    target: match[1] ?? "",
  }));
}

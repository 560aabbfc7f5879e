import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { distinct, type Line, type Row } from "./table/figures.ts";
import { PICTURE_HEAD, pictureRows } from "./table/pictures.ts";
import { VOICE_HEAD, voiceRows } from "./table/voices.ts";

/**
 * Prints what torch.sh, ours.sh and the other benches of this folder have measured, as one Markdown table for pictures
 * and one for voices:
 *
 *     bun bench/gpu/table.ts FOLDER_OR_FILE…
 *
 * Of several lines for the same thing (cards, repeated calls) the one with the smallest median counts.
 */

/** Lines of a file, or of every `*.jsonl` below a folder. What is no JSON is left out. */
export async function readLines(path: string): Promise<Line[]> {
  const found = await stat(path);
  if (found.isDirectory()) {
    const names = (await readdir(path, { recursive: true })).filter((name) => name.endsWith(".jsonl"));
    return (await Promise.all(names.sort().map((name) => readLines(join(path, name))))).flat();
  }
  const text = await readFile(path, "utf8");
  return text.split("\n").flatMap((line) => {
    try {
      return line.startsWith("{") ? [JSON.parse(line) as Line] : [];
    } catch {
      return [];
    }
  });
}

function markdown(head: Row, rows: readonly Row[]): string {
  const widths = head.map((title, i) => Math.max(title.length, 3, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: Row) => `| ${widths.map((width, i) => (row[i] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** What the figures were measured on. */
function machines(lines: readonly Line[]): string {
  const told = lines.filter(({ section }) => section === "machine" || section === "versions");
  const parts = told.flatMap(({ section: _, ...facts }) =>
    Object.entries(facts).map(([name, value]) => (name === "gpu" ? String(value) : `${name} ${value}`)),
  );
  return distinct(parts).join(", ");
}

/** @returns Markdown: what it was measured on, a table for pictures, one for voices, whichever there are lines for */
export function report(lines: readonly Line[]): string {
  const picture = pictureRows(lines);
  const voice = voiceRows(lines);
  return [
    machines(lines),
    picture.length > 0 ? markdown(PICTURE_HEAD, picture) : "",
    voice.length > 0 ? markdown(VOICE_HEAD, voice) : "",
  ]
    .filter(Boolean)
    .join("\n\n");
}

if (import.meta.main) {
  const lines = (await Promise.all(process.argv.slice(2).map(readLines))).flat();
  console.log(report(lines));
}

/**
 * Renders evaluation prompts through the product and writes the manifest that `train-pack/evaluate/picture.py judge` measures:
 *
 *   bun scripts/evaluate/render-clips.ts --out clips --count 12
 *   python scripts/train-pack/evaluate/picture.py judge clips/manifest.json --judge judge.pt --out clips
 *
 * Every clip is one `cartoon render` (an edge and a node are started for it); `--url` and `--key` take an edge that runs already.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

interface EvaluationPrompt {
  readonly prompt: string;
  readonly characters: readonly string[];
  readonly place: string;
  readonly seed: number;
}

const here = import.meta.dirname;
const { values } = parseArgs({
  options: {
    out: { type: "string" },
    count: { type: "string", default: "12" },
    frames: { type: "string", default: "16" },
    guidance: { type: "string" },
    pack: { type: "string" },
    url: { type: "string" },
    key: { type: "string" },
    prompts: { type: "string", default: join(here, "../train-pack/evaluate/prompts.json") },
  },
});

/** `count` rows, evenly spread, so that Temo, Felfel and the pair all come. */
function spread<T>(rows: readonly T[], count: number): T[] {
  const wanted = Math.min(count, rows.length);
  return rows.filter(
    (_, i) => Math.floor(((i + 1) * wanted) / rows.length) > Math.floor((i * wanted) / rows.length),
  );
}

function render(row: EvaluationPrompt, file: string): void {
  const passedOn = (["guidance", "pack", "url", "key"] as const).flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  const args = [
    "render",
    row.prompt,
    "--seed",
    `${row.seed}`,
    "--frames",
    values.frames,
    "-o",
    file,
    ...passedOn,
  ];
  const done = spawnSync(process.execPath, [join(here, "../cartoon/main.ts"), ...args], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`"${row.prompt}" was not rendered: ${done.stderr.trim()}`);
}

if (values.out === undefined) throw new Error("--out: name the folder for the clips");
const out = resolve(values.out);
mkdirSync(out, { recursive: true });
const prompts = JSON.parse(readFileSync(values.prompts, "utf8")) as EvaluationPrompt[];
const manifest: object[] = [];
for (const row of spread(prompts, Number(values.count))) {
  const file = `${String(manifest.length).padStart(3, "0")}.mp4`;
  // A run that was interrupted goes on.
  if (!existsSync(join(out, file))) render(row, join(out, file));
  console.log(`${file}  ${row.prompt}`);
  manifest.push({ prompt: row.prompt, characters: row.characters, place: row.place, file });
  // Written after every clip: a run that is interrupted can be measured too.
  writeFileSync(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
}
console.log(`${manifest.length} clips: ${join(out, "manifest.json")}`);

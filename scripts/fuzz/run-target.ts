import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dice } from "../chaos/random.ts";
import { mutate } from "./mutate.ts";
import { TARGETS } from "./targets.ts";

export interface Report {
  target: string;
  cases: number;
  taken: number;
  refused: number;
  /** Most memory that a case of the corpus, or a batch of mutations, took; null where the system does not tell. */
  megabytes: number | null;
  /** Milliseconds of the slowest case. */
  slowest: number;
  problems: string[];
}

const BATCH = 20;
export const LIMIT_MB = 64;
const SLOW_MS = 5_000;

const inMegabytes = (field: string) => {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(
    readFileSync("/proc/self/status", "utf8"),
  )?.[1];
  return Number(kib) / 1024;
};

/** Starts to watch the memory of this process; the answer is how far it went beyond where it stood. */
function watchMemory(): () => number | null {
  if (process.platform !== "linux") return () => null;
  Bun.gc(true);
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    return () => null;
  }
  const before = inMegabytes("VmRSS");
  return () => Math.max(0, inMegabytes("VmHWM") - before);
}

/** Runs one parser over its corpus and over mutations of it, in this process. */
export async function runTarget(name: string, cases: number, seed: number): Promise<Report> {
  const target = TARGETS[name];
  if (!target) throw new Error(`no target ${name}; there are ${Object.keys(TARGETS).join(", ")}`);
  const report: Report = {
    target: name,
    cases: 0,
    taken: 0,
    refused: 0,
    megabytes: null,
    slowest: 0,
    problems: [],
  };
  const folder = await mkdtemp(join(tmpdir(), "cartoon-fuzz-"));
  const one = async (label: string, bytes: Uint8Array) => {
    const started = performance.now();
    try {
      await target.run(bytes, folder);
      report.taken++;
    } catch (error) {
      report.refused++;
      const [kind, message] = error instanceof Error ? [error.name, error.message] : ["", String(error)];
      if (!target.refuses.includes(kind) || message === "")
        report.problems.push(`${label}: ${kind} ${message}`);
      if (message.length > 2_000) report.problems.push(`${label}: an error of ${message.length} characters`);
    }
    report.cases++;
    const took = performance.now() - started;
    report.slowest = Math.max(report.slowest, took);
    if (took > SLOW_MS) report.problems.push(`${label}: took ${Math.round(took)} ms`);
  };
  const measured = async (label: string, work: () => Promise<void>) => {
    const memory = watchMemory();
    await work();
    const took = memory();
    if (took === null) return;
    report.megabytes = Math.max(report.megabytes ?? 0, took);
    if (took > LIMIT_MB) report.problems.push(`${label}: took ${Math.round(took)} MB`);
  };
  try {
    for (let warm = 0; warm < 3; warm++)
      for (const bytes of target.good) await target.run(bytes, folder).catch(() => undefined);
    for (const [label, bytes] of Object.entries(target.hostile))
      await measured(label, () => one(label, bytes));
    const dice = new Dice(seed);
    const seeds = [
      ...target.good,
      ...Object.values(target.hostile).filter(({ length }) => length < 64 * 1024),
    ];
    const wanted = Math.ceil(cases * target.share);
    while (report.cases < wanted)
      await measured(`mutations around ${report.cases} of seed ${seed}`, async () => {
        for (let i = 0; i < BATCH && report.cases < wanted; i++)
          await one(`mutation ${report.cases} of seed ${seed}`, mutate(dice, seeds));
      });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return report;
}

if (import.meta.main) {
  const [name = "", cases = "", seed = ""] = process.argv.slice(2);
  console.log(JSON.stringify(await runTarget(name, Number(cases), Number(seed))));
}

// `bun scripts/fuzz/fuzz.ts --cases 10000`: hostile files for every parser of files from strangers; see README.md.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import type { Report } from "./run-target.ts";
import { TARGETS } from "./targets.ts";

const RUN_TARGET = fileURLToPath(new URL("run-target.ts", import.meta.url));
const HANG_MS = 20 * 60_000;

/** One parser in a process of its own: a crash or a hang of it is a finding, not the end of the run. */
export async function fuzzTarget(name: string, cases: number, seed: number): Promise<Report> {
  const child = Bun.spawn([process.execPath, RUN_TARGET, name, String(cases), String(seed)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const patience = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const code = await child.exited;
  clearTimeout(patience);
  if (code === 0) return JSON.parse(output) as Report;
  const problem = `the process ended with ${child.signalCode ?? code}: ${errors.slice(-1_000)}`;
  return { target: name, cases: 0, taken: 0, refused: 0, megabytes: null, slowest: 0, problems: [problem] };
}

/** The reports as a table in Markdown. */
export function formatReports(reports: readonly Report[]): string {
  const rows = reports.map(({ target, cases, taken, refused, megabytes, slowest, problems }) =>
    [
      target,
      cases,
      refused,
      taken,
      megabytes === null ? "not measured" : megabytes.toFixed(1),
      Math.ceil(slowest),
      problems.length,
    ].join(" | "),
  );
  return [
    "| parser | cases | refused | taken | MB at most | ms at most | problems |",
    "|---|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row} |`),
    ...reports.flatMap(({ target, problems }) => problems.slice(0, 20).map((one) => `\n${target}: ${one}`)),
  ].join("\n");
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { cases: { type: "string" }, seed: { type: "string" }, target: { type: "string" } },
  });
  const Options = z.object({
    cases: z.coerce.number().int().min(1).default(10_000),
    seed: z.coerce.number().int().min(0).default(1),
    target: z.enum(Object.keys(TARGETS)).optional(),
  });
  const parsed = Options.safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) console.error(`--${issue.path.join(".")}: ${issue.message}`);
    process.exit(64);
  }
  const { cases, seed, target } = parsed.data;
  const reports: Report[] = [];
  for (const name of target ? [target] : Object.keys(TARGETS))
    reports.push(await fuzzTarget(name, cases, seed));
  console.log(formatReports(reports));
  process.exit(reports.some(({ problems }) => problems.length > 0) ? 1 : 0);
}

import type { ChaosReport } from "./run.ts";

/** The report as a table in Markdown. */
export function formatReport(report: ChaosReport): string {
  const { options, verdict } = report;
  const list = (counts: Iterable<[string, number]>) =>
    [...counts].map(([name, n]) => `${name} ${n}`).join(", ") || "none";
  const rows: [string, string | number][] = [
    ["database", options.database],
    ["edges, nodes", `${options.edges}, ${options.nodes}${options.attached ? " (dialling in)" : ""}`],
    ["seed", options.seed],
    ["seconds of faults, in all", `${options.seconds}, ${report.seconds.toFixed(0)}`],
    ["faults", list(report.faults)],
    ["processes killed", report.deaths],
    ["jobs accepted", report.accepted],
    ["outcomes", list(Object.entries(verdict.outcomes))],
    ["errors", list(Object.entries(verdict.errors))],
    ["attempts, resumed from a checkpoint", `${verdict.attempts}, ${verdict.resumed}`],
    ["events checked, watchers", `${verdict.events}, ${report.watched}`],
    ["results read and hashed", verdict.results],
    ["promises broken", verdict.problems.length],
  ];
  const lines = rows.map(([name, value]) => `| ${name} | ${value} |`);
  const notes = [
    ...report.skipped.map((line) => `skipped: ${line}`),
    ...verdict.problems.map((problem) => `BROKEN: ${problem}`),
  ];
  return ["| | |", "|---|---|", ...lines, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

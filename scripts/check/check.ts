// `bun run check`: every check of the repository, one table, and `N passed, N failed` as the last line.
import { denoBinary, staticChecks } from "./static-checks.ts";
import { bunTests, denoTests, type Tally } from "./test-runs.ts";

interface Row extends Tally {
  name: string;
  seconds: number;
}

const steps: { name: string; run: () => Promise<Tally> }[] = [
  ...staticChecks.map(({ name, run }) => ({
    name,
    run: async () => {
      const { code, output } = await run();
      return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, output };
    },
  })),
  ...["protos", "db", "edge", "gpu-pool", "scripts"].map((workspace) => ({
    name: `tests: ${workspace} (Bun)`,
    run: () => bunTests(workspace),
  })),
  { name: "tests: protos, db, edge (Deno)", run: () => denoTests(denoBinary(), ["protos", "db", "edge"]) },
];

const LOG_LINES = 120;
// `bun run check tests` or `bun run check lint` runs the matching steps alone.
const filter = process.argv[2] ?? "";

const rows: Row[] = [];
for (const { name, run } of steps.filter((step) => step.name.includes(filter))) {
  const started = performance.now();
  const result = await run().catch((error: unknown) => ({ passed: 0, failed: 1, output: String(error) }));
  const row = { name, seconds: (performance.now() - started) / 1000, ...result };
  rows.push(row);
  if (row.failed > 0) {
    const lines = row.output.trimEnd().split("\n");
    console.log(`\n--- ${name} ---\n${lines.slice(-LOG_LINES).join("\n")}\n`);
  }
  console.log(line(row));
}

console.log(`\n${rows.map(line).join("\n")}\n`);
const sum = (pick: (row: Row) => number) => rows.reduce((total, row) => total + pick(row), 0);
const failed = sum((row) => row.failed);
console.log(`${sum((row) => row.passed)} passed, ${failed} failed`);
process.exit(failed === 0 && rows.length > 0 ? 0 : 1);

function line({ name, passed, failed: bad, seconds }: Row): string {
  const mark = bad > 0 ? "FAIL" : "ok  ";
  return `${mark}  ${name.padEnd(32)} ${String(passed).padStart(5)} passed ${String(bad).padStart(4)} failed ${seconds.toFixed(1).padStart(7)} s`;
}

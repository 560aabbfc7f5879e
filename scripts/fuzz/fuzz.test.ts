import { expect, setDefaultTimeout, test } from "bun:test";
import { formatReports, fuzzTarget } from "./fuzz.ts";
import { LIMIT_MB } from "./run-target.ts";
import { TARGETS } from "./targets.ts";

setDefaultTimeout(120_000);

const CASES = Number(process.env.FUZZ_RUNS ?? 500);

for (const name of Object.keys(TARGETS))
  test(`${name}: hostile files are refused in words, and take no more than ${LIMIT_MB} MB`, async () => {
    const report = await fuzzTarget(name, CASES, 1);
    console.log(formatReports([report]).split("\n")[2]);
    expect(report.problems).toEqual([]);
    expect(report.cases).toBeGreaterThan(10);
    if (process.platform === "linux") expect(report.megabytes).toBeLessThanOrEqual(LIMIT_MB);
  });

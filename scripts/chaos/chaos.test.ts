import { expect, test } from "bun:test";
import type { JobEvent, JobWithResults } from "@cartoon/db";
import { findPostgres } from "@cartoon/db/test/postgres-server";
import { runChaos } from "./run.ts";
import { formatReport } from "./table.ts";
import { problemsOf } from "./verify.ts";

const short = {
  edges: 2,
  nodes: 2,
  leaseSeconds: 2,
  settleSeconds: 90,
  seed: 7,
  attached: false,
  keep: false,
  log: () => {},
};
/** How a job may end in failure here: only by what was done to the processes that ran it. */
const EXCUSED = new Set([
  "poison",
  "lease_lost",
  "upload_failed",
  "ffmpeg_lost",
  "node_trouble",
  "shot_failed",
]);
const databases = findPostgres() ? (["sqlite", "postgres"] as const) : (["sqlite"] as const);

for (const database of databases)
  test(`nothing is lost on ${database} while processes are killed and connections cut`, async () => {
    const jobs = database === "sqlite" ? 40 : 24;
    const report = await runChaos({ ...short, database, jobs, seconds: database === "sqlite" ? 8 : 5 });
    console.log(formatReport(report));
    expect(report.verdict.problems).toEqual([]);
    expect(report.accepted).toBe(jobs);
    expect(report.verdict.outcomes.succeeded).toBeGreaterThan(0);
    expect(Object.keys(report.verdict.errors).filter((code) => !EXCUSED.has(code))).toEqual([]);
  }, 180_000);

const job = (change: Partial<JobWithResults>) =>
  ({ id: "job_1", status: "succeeded", attempt: 1, eventSeq: 3, results: [], ...change }) as JobWithResults;
const events = (...types: string[]): JobEvent[] =>
  types.map((type, i) => ({ jobId: "job_1", seq: i + 1, type, at: 0, data: {} }));

test("the checks see what is wrong with a history", () => {
  expect(problemsOf(job({}), events("queued", "leased", "succeeded"))).toEqual([]);
  const hole = events("queued", "leased", "progress", "succeeded").filter(({ seq }) => seq !== 3);
  expect(problemsOf(job({ eventSeq: 4 }), hole)).toContain("event 3 is missing");
  expect(
    problemsOf(job({ eventSeq: 4 }), events("queued", "leased", "succeeded", "succeeded")).join(),
  ).toContain("2 terminal events");
  expect(
    problemsOf(job({ attempt: 2, eventSeq: 4 }), events("queued", "leased", "leased", "succeeded")).join(),
  ).toContain("a second time at once");
  expect(problemsOf(job({ status: "running", eventSeq: 2 }), events("queued", "leased")).join()).toContain(
    "0 terminal events",
  );
});

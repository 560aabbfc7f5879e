// `bun edge/bench/bench.ts [--only submissions,…] [--seconds 5]`: see README.md.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { findPostgres } from "@cartoon/db/test/postgres-server";
import { benchFastApi } from "./fastapi.ts";
import { benchHistory } from "./history.ts";
import { load, ms, type Row, table } from "./lib/stats.ts";
import { benchOverhead } from "./overhead.ts";
import { benchSubmissions } from "./submissions.ts";
import { benchWatchers } from "./watchers.ts";

const NAMES = ["submissions", "watchers", "history", "overhead"];
const { values } = parseArgs({
  options: {
    only: { type: "string", default: NAMES.join(",") },
    seconds: { type: "string", default: "5" },
    watchers: { type: "string", default: "2000" },
    jobs: { type: "string", default: "100000" },
    "no-fastapi": { type: "boolean", default: false },
  },
});
const wanted = new Set(values.only.split(","));
const rows: Row[] = [];
const note = (row: Row) => {
  rows.push(row);
  console.error(`${row.what}: ${row.measured} (bar: ${row.bar})`);
};

async function submissions(): Promise<void> {
  const options = { clients: 50, warmUpMs: 1_500, measureMs: Number(values.seconds) * 1000 };
  for (const [database, bar] of [
    ["sqlite", 1_500],
    ["postgres", 800],
  ] as const) {
    if (database === "postgres" && !findPostgres()) continue;
    const ours = await benchSubmissions(database, options);
    note({
      what: `durable submissions, ${database}, 50 clients`,
      measured: `${ours.perSecond.toFixed(0)}/s, p50 ${ms(ours.p50)} ms, p99 ${ms(ours.p99)} ms`,
      bar: `${bar}/s, p99 60 ms`,
    });
    if (values["no-fastapi"]) continue;
    const theirs = await benchFastApi(database, options);
    note({
      what: `the same in FastAPI, uvicorn, SQLAlchemy, ${database}`,
      measured: `${theirs.perSecond.toFixed(0)}/s, p50 ${ms(theirs.p50)} ms, p99 ${ms(theirs.p99)} ms`,
      bar: "",
    });
    note({
      what: `ratio, ${database}`,
      measured: `${(ours.perSecond / theirs.perSecond).toFixed(1)}x`,
      bar: "8x",
    });
  }
}

console.error(`${cpus().length} cores (${cpus()[0]?.model}), load ${load()}`);
if (wanted.has("submissions")) await submissions();
if (wanted.has("watchers")) for (const row of await benchWatchers(Number(values.watchers))) note(row);
if (wanted.has("history")) for (const row of await benchHistory(Number(values.jobs))) note(row);
if (wanted.has("overhead")) note(await benchOverhead());
console.log(table(rows));
console.log(`\nLoad average at the end: ${load()}.`);

// `bun edge/bench/bench.ts [--only submissions,…] [--rounds 5] [--seconds 3]`: see README.md.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { findPostgres } from "@cartoon/db/test/postgres-server";
import { compare, type Rounds } from "./compare.ts";
import { startFastApi } from "./fastapi.ts";
import { benchHistory } from "./history.ts";
import { load, ms, type Row, table } from "./lib/stats.ts";
import { benchOverhead } from "./overhead.ts";
import { CLIENTS, startOurs } from "./submissions.ts";
import { benchWatchers } from "./watchers.ts";

const NAMES = ["submissions", "watchers", "history", "overhead"];
const { values } = parseArgs({
  options: {
    only: { type: "string", default: NAMES.join(",") },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    patience: { type: "string", default: "60" },
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
  const options = {
    rounds: Number(values.rounds),
    sliceMs: Number(values.seconds) * 1000,
    patienceMs: Number(values.patience) * 1000,
  };
  for (const [database, bar] of [
    ["sqlite", 1_500],
    ["postgres", 800],
  ] as const) {
    if (database === "postgres" && !findPostgres()) continue;
    const contenders = [await startOurs(database)];
    if (!values["no-fastapi"]) contenders.push(await startFastApi(database));
    try {
      const { each, ratio, otherWork } = await compare(contenders, options);
      const [ours, theirs] = each;
      if (!ours) continue;
      note({
        what: `durable submissions, ${database}, ${CLIENTS} clients`,
        measured: `${rounds(ours)}; ${(100 * otherWork).toFixed(0)}% other work`,
        bar: `${bar}/s, p99 60 ms`,
      });
      if (!theirs) continue;
      note({
        what: `the same in FastAPI, uvicorn, SQLAlchemy, ${database}`,
        measured: rounds(theirs),
        bar: "",
      });
      note({ what: `ratio, ${database}`, measured: `${ratio.toFixed(1)}x`, bar: "8x" });
    } finally {
      for (const contender of contenders) await contender.stop();
    }
  }
}

const rounds = ({ perSecond, range: [least, most], p50, p99 }: Rounds) =>
  `${perSecond.toFixed(0)}/s (${least.toFixed(0)} to ${most.toFixed(0)}), p50 ${ms(p50)} ms, p99 ${ms(p99)} ms`;

console.error(`${cpus().length} cores (${cpus()[0]?.model}), load ${load()}`);
if (wanted.has("submissions")) await submissions();
if (wanted.has("watchers")) for (const row of await benchWatchers(Number(values.watchers))) note(row);
if (wanted.has("history")) for (const row of await benchHistory(Number(values.jobs))) note(row);
if (wanted.has("overhead")) note(await benchOverhead());
console.log(table(rows));
console.log(`\nLoad average at the end: ${load()}.`);

import { beginCommit, commit, enqueue, lease, openDatabase } from "../src/index.ts";
import { receipt, speechSpec } from "./factories.ts";

/**
 * A process of its own for the tests of many processes: `enqueue <url> <n>` says each id once it is acknowledged,
 * `drain <url> <name>` leases and commits until nothing is left, saying each id, `open <url>` only opens.
 */
const [mode = "", url = "", argument = ""] = process.argv.slice(2);
const db = await openDatabase(url);
const say = (line: string) => process.stdout.write(`${line}\n`);

if (mode === "enqueue") {
  const one = async () => say((await enqueue(db, { tenant: "acme", spec: speechSpec() })).job.id);
  for (let i = 0; i < Number(argument); i += 4) await Promise.all([one(), one(), one(), one()]);
}
if (mode === "drain") {
  for (;;) {
    const jobs = await lease(db, { edgeId: argument, leaseMs: 60_000, count: 2 });
    if (jobs.length === 0) break;
    for (const job of jobs) {
      await beginCommit(db, job, 60_000);
      await commit(db, job, { results: [], receipt: receipt(0.1) });
      say(job.id);
    }
  }
}
await db.close();

import { type Database, enqueueMany, getJob } from "@cartoon/db";
import { insertRows } from "@cartoon/db/insert-rows";
import { run } from "@cartoon/db/verb";
import { ARTEFACTS } from "@cartoon/protos";
import { sleep, startBenchEdge } from "./lib/edge.ts";
import { HttpClient } from "./lib/http-client.ts";
import { runLoad } from "./lib/load.ts";
import { RENDER } from "./lib/render.ts";
import { ms, type Row } from "./lib/stats.ts";

const BATCH = 500;
const READERS = 8;
const REST_MS = 5_000;

/** Memory and reads of an edge whose database holds many jobs. */
export async function benchHistory(jobs: number): Promise<Row[]> {
  const edge = await startBenchEdge({ database: "sqlite", permits: 0 });
  try {
    const first = await HttpClient.connect(edge.url);
    const { body } = await first.send("POST", "/v1/renders", edge.headers, RENDER);
    first.close();
    const ids = await fill(edge.db, JSON.parse(body).id, jobs);
    const request = (path: () => string) => (client: HttpClient) => client.send("GET", path(), edge.headers);
    const load = { url: edge.url, clients: READERS, warmUpMs: 1_000, measureMs: 4_000 };
    const any = () => ids[Math.floor(Math.random() * ids.length)] ?? "";
    const read = await runLoad({ ...load, request: request(() => `/v1/renders/${any()}`) });
    const list = await runLoad({ ...load, request: request(() => "/v1/renders?limit=20") });
    const busy = edge.memory();
    await sleep(REST_MS);
    return [
      {
        what: `reading one of ${jobs} renders, ${READERS} clients`,
        measured: `${read.perSecond.toFixed(0)}/s, p50 ${ms(read.p50)} ms, p99 ${ms(read.p99)} ms`,
        bar: "p99 20 ms",
      },
      {
        what: `listing 20 of ${jobs} renders, ${READERS} clients`,
        measured: `${list.perSecond.toFixed(0)}/s, p50 ${ms(list.p50)} ms, p99 ${ms(list.p99)} ms`,
        bar: "p99 20 ms",
      },
      {
        what: `memory of the edge with ${jobs} jobs in the database, at the end of that load and at rest`,
        measured: `${(busy / 1e6).toFixed(0)} MB, ${(edge.memory() / 1e6).toFixed(0)} MB`,
        bar: "150 MB",
      },
    ];
  } finally {
    await edge.stop();
  }
}

/** Many finished jobs with two results each, all like the one that came in through HTTP. */
async function fill(db: Database, like: string, jobs: number): Promise<string[]> {
  const { spec } = await getJob(db, { tenant: "bench" }, like);
  const ids: string[] = [];
  for (let made = 0; made < jobs; made += BATCH) {
    const inputs = Array.from({ length: Math.min(BATCH, jobs - made) }, () => ({ tenant: "bench", spec }));
    const batch: string[] = [];
    for (const outcome of await enqueueMany(db, inputs)) {
      if (outcome instanceof Error) throw outcome;
      batch.push(outcome.job.id);
    }
    await finish(db, batch);
    ids.push(...batch);
  }
  return ids;
}

function finish(db: Database, ids: readonly string[]): Promise<void> {
  const result = { bytes: 1_000_000, sha256: "0".repeat(64), width: 256, height: 256, seconds: 2 };
  return db.write(function* (tx) {
    for (const id of ids)
      yield* run(
        tx.raw("update jobs set status = 'succeeded', completed_at = ?, queue_deadline = null where id = ?", [
          tx.now,
          id,
        ]),
      );
    const results = ids.flatMap((jobId) =>
      (["clip.mp4", "clip.gif"] as const).map((name) => ({
        ...{ jobId, name, ...result, storageKey: `${jobId}/1/${name}` },
        contentType: ARTEFACTS[name],
      })),
    );
    yield* insertRows(tx, tx.t.results, results);
  });
}

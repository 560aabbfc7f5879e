import { playThrough, ScriptedNode } from "../test/scripted-node.ts";
import { startBenchEdge } from "./lib/edge.ts";
import { HttpClient } from "./lib/http-client.ts";
import { RENDER } from "./lib/render.ts";
import { ms, percentile, type Row } from "./lib/stats.ts";
import { type Seen, watchEvents } from "./lib/watch-events.ts";

const JOBS = 40;
const STEPS = 8;
const STEP_MS = 1_000;

/** Many watchers of running jobs on one edge: how long after an event was written each of them sees it. */
export async function benchWatchers(watchers: number): Promise<Row[]> {
  let go = () => {};
  const started = new Promise<void>((resolve) => {
    go = resolve;
  });
  const play = playThrough({ steps: STEPS, stepMs: STEP_MS });
  const node = new ScriptedNode(
    async (run) => {
      await started;
      await play(run);
    },
    { permits: JOBS },
  );
  const edge = await startBenchEdge({ database: "sqlite", permits: JOBS, node });
  try {
    const client = await HttpClient.connect(edge.url);
    const ids: string[] = [];
    for (let i = 0; i < JOBS; i++) {
      const { body } = await client.send("POST", "/v1/renders", edge.headers, RENDER);
      ids.push(JSON.parse(body).id);
    }
    const watching = Array.from({ length: watchers }, (_, i) =>
      watchEvents(edge.url, ids[i % JOBS] ?? "", edge.headers),
    );
    await Promise.all(watching.map(({ open }) => open));
    const quiet = edge.memory();
    go();
    const seen = (await Promise.all(watching.map(({ done }) => done))).flat();
    return rowsOf(watchers, seen, quiet, edge.memory());
  } finally {
    await edge.stop();
  }
}

function rowsOf(watchers: number, seen: Seen[], quiet: number, busy: number): Row[] {
  // What was written before the watchers came has no lag to speak of.
  const live = seen.filter(({ type }) => type === "progress" || type === "succeeded");
  const lags = live.map(({ lagMs }) => lagMs);
  const ended = seen.filter(({ type }) => type === "succeeded").length;
  if (ended !== watchers) throw new Error(`${ended} of ${watchers} watchers saw the end of their job`);
  const worst = lags.reduce((max, lag) => Math.max(max, lag), 0);
  return [
    {
      what: `${watchers} SSE watchers, ${JOBS} jobs, ${live.length} events seen`,
      measured: `lag p50 ${ms(percentile(lags, 0.5))} ms, p99 ${ms(percentile(lags, 0.99))} ms, worst ${ms(worst)} ms`,
      bar: "1,000 ms",
    },
    {
      what: "memory of the edge with these watchers, before and after",
      measured: `${(quiet / 1e6).toFixed(0)} MB, ${(busy / 1e6).toFixed(0)} MB`,
      bar: "",
    },
  ];
}

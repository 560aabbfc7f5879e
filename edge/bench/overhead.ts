import { eventsAfter } from "@cartoon/db";
import { playThrough, ScriptedNode } from "../test/scripted-node.ts";
import { startBenchEdge } from "./lib/edge.ts";
import { HttpClient } from "./lib/http-client.ts";
import { RENDER } from "./lib/render.ts";
import { ms, percentile, type Row } from "./lib/stats.ts";

const ROUNDS = 200;

/** From the moment a client sends a render to the moment that the node's first event is durable, on an idle pool. */
export async function benchOverhead(): Promise<Row> {
  const arrivals = new Map<string, number>();
  const play = playThrough({ steps: 1, stepMs: 1 });
  const node = new ScriptedNode(
    async (run) => {
      arrivals.set(run.request.job_id, Date.now());
      await play(run);
    },
    { permits: 1 },
  );
  const edge = await startBenchEdge({ database: "sqlite", permits: 1, node });
  try {
    const client = await HttpClient.connect(edge.url);
    const toEvent: number[] = [];
    const toNode: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const sent = Date.now();
      const { body } = await client.send("POST", "/v1/renders", edge.headers, RENDER);
      const id: string = JSON.parse(body).id;
      const done = await client.send("GET", `/v1/renders/${id}?wait=10`, edge.headers);
      if (JSON.parse(done.body).status !== "succeeded") throw new Error(done.body);
      const events = await eventsAfter(edge.db, id);
      toEvent.push((events.find(({ type }) => type === "accepted")?.at ?? 0) - sent);
      toNode.push((arrivals.get(id) ?? 0) - sent);
    }
    return {
      what: `dispatch overhead, submit to first node event, ${ROUNDS} renders one by one`,
      measured: `p50 ${ms(percentile(toEvent, 0.5))} ms, p99 ${ms(percentile(toEvent, 0.99))} ms (at the node p50 ${ms(percentile(toNode, 0.5))} ms)`,
      bar: "p50 15 ms",
    };
  } finally {
    await edge.stop();
  }
}

import { countJobs } from "@cartoon/db";
import { type DatabaseKind, startBenchEdge } from "./lib/edge.ts";
import { type LoadResult, runLoad } from "./lib/load.ts";
import { RENDER } from "./lib/render.ts";

export interface SubmissionOptions {
  clients: number;
  warmUpMs: number;
  measureMs: number;
}

/** Durable submissions through HTTP with a key. Throws when one that was acknowledged is not in the database. */
export async function benchSubmissions(
  database: DatabaseKind,
  { clients, warmUpMs, measureMs }: SubmissionOptions,
): Promise<LoadResult> {
  const edge = await startBenchEdge({ database, permits: 0 });
  try {
    let next = 0;
    const result = await runLoad({
      ...{ url: edge.url, clients, warmUpMs, measureMs },
      request: (client) =>
        client.send("POST", "/v1/renders", `${edge.headers}idempotency-key: bench-${next++}\r\n`, RENDER),
    });
    const { queued } = await countJobs(edge.db, { tenant: "bench" });
    if (queued !== result.answered)
      throw new Error(`${result.answered} submissions were acknowledged, ${queued} are in the database`);
    return result;
  } finally {
    await edge.stop();
  }
}

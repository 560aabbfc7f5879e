import { countJobs } from "@cartoon/db";
import { type DatabaseKind, startBenchEdge } from "./lib/edge.ts";
import { type LoadResult, runLoad } from "./lib/load.ts";
import { RENDER } from "./lib/render.ts";

export const CLIENTS = 50;
/** Before each slice: connections are made and everything is warm after it. */
const WARM_UP_MS = 700;

/** A service that takes submissions, ours or the one that it is compared with. */
export interface Contender {
  /** Submits from 50 clients for a while. */
  slice(measureMs: number): Promise<LoadResult>;
  /** Throws when one that was acknowledged is not in the database. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

/** @param headers of a request with a key, complete lines */
export function submitter(url: string, headers: string) {
  let next = 0;
  const count = { acknowledged: 0 };
  const slice = async (measureMs: number) => {
    const result = await runLoad({
      ...{ url, clients: CLIENTS, warmUpMs: WARM_UP_MS, measureMs },
      request: (client) =>
        client.send("POST", "/v1/renders", `${headers}idempotency-key: bench-${next++}\r\n`, RENDER),
    });
    count.acknowledged += result.answered;
    return result;
  };
  return { slice, count };
}

/** The edge, with a node that takes nothing, so that all that is submitted stays in the queue. */
export async function startOurs(database: DatabaseKind): Promise<Contender> {
  const edge = await startBenchEdge({ database, permits: 0 });
  const { slice, count } = submitter(edge.url, edge.headers);
  const check = async () => {
    const { queued } = await countJobs(edge.db, { tenant: "bench" });
    if (queued !== count.acknowledged)
      throw new Error(`${count.acknowledged} submissions were acknowledged, ${queued} are in the database`);
  };
  return { slice, check, stop: edge.stop };
}

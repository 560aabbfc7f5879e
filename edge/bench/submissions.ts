import { countJobs, type Database } from "@cartoon/db";
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

/** A service at `url` with an empty database, which takes submissions of the tenant `bench`. */
export function contender(
  db: Database,
  { url, token }: { url: string; token: string },
  stop: () => Promise<void>,
): Contender {
  const headers = `content-type: application/json\r\nauthorization: Bearer ${token}\r\n`;
  let next = 0;
  let acknowledged = 0;
  const slice = async (measureMs: number) => {
    const result = await runLoad({
      ...{ url, clients: CLIENTS, warmUpMs: WARM_UP_MS, measureMs },
      request: (client) =>
        client.send("POST", "/v1/renders", `${headers}idempotency-key: bench-${next++}\r\n`, RENDER),
    });
    acknowledged += result.answered;
    return result;
  };
  const check = async () => {
    const { queued } = await countJobs(db, { tenant: "bench" });
    if (queued !== acknowledged)
      throw new Error(`${acknowledged} submissions were acknowledged, ${queued} are in the database`);
  };
  return { slice, check, stop };
}

/** The edge, with a node that takes nothing, so that all that is submitted stays in the queue. */
export async function startOurs(database: DatabaseKind): Promise<Contender> {
  const edge = await startBenchEdge({ database, permits: 0 });
  return contender(edge.db, edge, edge.stop);
}

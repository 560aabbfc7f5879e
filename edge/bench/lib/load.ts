import { HttpClient, type RawAnswer } from "./http-client.ts";
import { percentile } from "./stats.ts";

export interface LoadOptions {
  url: string;
  clients: number;
  /** Not counted: everything is warm after it. */
  warmUpMs: number;
  measureMs: number;
  /** Sends the next request; its answer's status must be below 300. */
  request: (client: HttpClient) => Promise<RawAnswer>;
}

export interface LoadResult {
  perSecond: number;
  p50: number;
  p99: number;
  /** Answered requests, warm-up included. */
  answered: number;
}

/** Clients that each send the next request as soon as the last one is answered. Times in milliseconds. */
export async function runLoad({
  url,
  clients,
  warmUpMs,
  measureMs,
  request,
}: LoadOptions): Promise<LoadResult> {
  const samples: number[] = [];
  let answered = 0;
  const begin = performance.now() + warmUpMs;
  const end = begin + measureMs;
  const one = async () => {
    const client = await HttpClient.connect(url);
    for (let now = performance.now(); now < end; ) {
      const { status, body } = await request(client);
      if (status >= 300) throw new Error(`${status}: ${body}`);
      answered += 1;
      const done = performance.now();
      if (now >= begin && done <= end) samples.push(done - now);
      now = done;
    }
    client.close();
  };
  await Promise.all(Array.from({ length: clients }, one));
  return {
    perSecond: samples.length / (measureMs / 1000),
    p50: percentile(samples, 0.5),
    p99: percentile(samples, 0.99),
    answered,
  };
}

import { bucketOf } from "./bucket.ts";
import { edgeHandler } from "./edge-handler.ts";
import { workerSettings } from "./environment.ts";
import { runWorker } from "./worker.ts";

export interface StartOptions {
  env: Record<string, string | undefined>;
  /** Origin of the edge that renders. */
  edgeUrl: string;
  /** Jobs at once. */
  concurrency: number;
}

/** Serves RunPod jobs until `signal` fires. Logs are lines of JSON where RunPod reads them. */
export async function startRunpodWorker(options: StartOptions, signal: AbortSignal): Promise<void> {
  const settings = workerSettings(options.env);
  const onRunpod = options.env.RUNPOD_ENDPOINT_ID !== undefined;
  await runWorker(
    {
      settings,
      handler: edgeHandler(options.edgeUrl, bucketOf(options.env)),
      concurrency: options.concurrency,
      checks: [{ name: "edge", run: () => readiness(options.edgeUrl) }],
      log: (line) => console.log(onRunpod ? JSON.stringify(line) : `${line.level} ${line.message}`),
    },
    signal,
  );
}

async function readiness(edgeUrl: string): Promise<void> {
  const response = await fetch(`${edgeUrl}/readyz`);
  if (!response.ok)
    throw new Error(`the edge is not ready: HTTP ${response.status} ${await response.text()}`);
}

import { Hono } from "hono";
import { clientApi } from "./client-api.ts";
import { SimulatedQueue } from "./queue.ts";
import { workerApi } from "./worker-api.ts";

/**
 * RunPod's serverless platform on one machine: the client side at `/v2/{endpoint}` and the worker side at
 * `/v2/{endpoint}/job-take/{worker}` and its sisters. Endpoints come into being when they are first named.
 * @param apiKey when given, both sides must present it, raw or as a bearer token.
 */
export function simulator(apiKey?: string) {
  const endpoints = new Map<string, Hono>();
  const queues = new Map<string, SimulatedQueue>();
  const app = new Hono();

  app.use("/v2/*", async (c, next) => {
    const given = (c.req.header("authorization") ?? "").replace(/^Bearer\s+/i, "");
    if (apiKey && given !== apiKey) return c.json({ error: "unauthorized" }, 401);
    return next();
  });

  app.all("/v2/:endpoint/*", (c) => {
    const name = c.req.param("endpoint");
    let endpoint = endpoints.get(name);
    if (!endpoint) {
      const queue = new SimulatedQueue();
      endpoint = new Hono().route("/", clientApi(queue)).route("/", workerApi(queue));
      queues.set(name, queue);
      endpoints.set(name, endpoint);
    }
    const url = new URL(c.req.url);
    url.pathname = url.pathname.slice(`/v2/${name}`.length);
    return endpoint.fetch(new Request(url, c.req.raw));
  });

  return { app, queues };
}

/** The environment that RunPod gives a worker, pointing at a simulator. */
export function workerEnvironment(base: string, endpoint: string, workerId: string, apiKey = "") {
  const root = `${base}/v2/${endpoint}`;
  return {
    RUNPOD_WEBHOOK_GET_JOB: `${root}/job-take/$ID?gpu=none`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${root}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
    RUNPOD_WEBHOOK_POST_STREAM: `${root}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none`,
    RUNPOD_WEBHOOK_PING: `${root}/ping/$RUNPOD_POD_ID`,
    RUNPOD_PING_INTERVAL: "10000",
    RUNPOD_AI_API_KEY: apiKey,
    RUNPOD_POD_ID: workerId,
    RUNPOD_ENDPOINT_ID: endpoint,
  };
}

import { afterAll, expect, test } from "bun:test";
import runpodSdk from "runpod-sdk";
import { simulator, workerEnvironment } from "../src/runpod/simulator/simulator.ts";
import { startRunpodWorker } from "../src/runpod/worker/start.ts";
import { startHarness } from "./harness.ts";

const h = await startHarness();
const { app } = simulator();
const server = Bun.serve({ port: 0, idleTimeout: 0, fetch: app.fetch });
const base = `http://127.0.0.1:${server.port}`;
const stopping = new AbortController();
const env = workerEnvironment(base, "cartoon", "worker-1");
const worker = startRunpodWorker({ env, edgeUrl: h.url, concurrency: 1 }, stopping.signal);

afterAll(async () => {
  stopping.abort();
  server.stop(true);
  await worker;
  await h.stop();
});

test("a RunPod job goes through the worker to the edge and its node, and comes back whole", async () => {
  const endpoint = runpodSdk("any", { baseUrl: `${base}/v2` }).endpoint("cartoon");
  const input = {
    task_type: "combined",
    characters: ["temo", "felfel"],
    prompt: "both wave",
    dialogue_text: "Temo: Hi!",
  };
  const done = await endpoint?.runSync({ input }, 20_000);
  expect(done?.status).toBe("COMPLETED");
  expect(done?.output.mp4).toStartWith("data:video/mp4;base64,");
  expect(done?.output.audio).toStartWith("data:audio/wav;base64,");
  expect(JSON.stringify(done?.output)).not.toContain(h.url);
  const refused = await endpoint?.runSync({ input: { character: "garfield", prompt: "x" } }, 20_000);
  expect(refused?.status).toBe("FAILED");
  expect(JSON.stringify(refused)).toContain("garfield");
}, 30_000);

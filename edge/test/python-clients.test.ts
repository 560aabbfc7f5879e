import { afterAll, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import runpodSdk from "runpod-sdk";
import { simulator, workerEnvironment } from "../src/runpod/simulator/simulator.ts";
import { startHarness } from "./harness.ts";
import { contentOf, playThrough } from "./scripted-node.ts";

// A Python with `edge/test/python/requirements.txt` installed; `.ci/run` makes one.
const python = process.env.CARTOON_TEST_PYTHON;
const script = (name: string) => fileURLToPath(new URL(`python/${name}`, import.meta.url));

if (python === undefined) console.log("CARTOON_TEST_PYTHON is not set: the Python clients are not driven");
else {
  const h = await startHarness({
    script: (run) => {
      if (!run.request.spec?.clip?.prompt.includes("fail")) return playThrough()(run);
      run.send({ failed: { code: "out_of_memory", message: "too large", retryable: false } });
      run.end();
      return Promise.resolve();
    },
  });
  afterAll(() => h.stop());

  test("runpod and gradio_client from PyPI drive the edge", async () => {
    const child = Bun.spawn([python, script("edge_clients.py"), h.url], { stdout: "pipe", stderr: "pipe" });
    const [text, problems] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect(await child.exited, problems).toBe(0);
    const seen = JSON.parse(text.trim().split("\n").at(-1) ?? "");
    const run = h.node.runs.find((one) => one.request.uploads.some(({ name }) => name === "clip.mp4"));
    const start = run && new TextDecoder("latin1").decode(contentOf("clip.mp4", run.request).slice(0, 4));
    expect(seen).toMatchObject({
      run_sync: { seed: 5, mp4: "data:video/mp4;base64," },
      status: "COMPLETED",
      failed: "FAILED",
      health: ["idle", "initializing", "ready", "running", "throttled"],
      purged: { removed: 0, status: "completed" },
      api: ["/animation", "/combined", "/voice"],
      predict: { seed: 9, video: start },
      upload: { seed: 4, audio: expect.any(String) },
    });
    const voices = h.node.runs.flatMap((one) => one.request.spec?.speech?.voices ?? []);
    expect(voices).toMatchObject([{ character: "temo", transcript: "Good day." }]);
    expect((await fetch(voices[0]?.audio_url ?? "")).headers.get("content-length")).toBe("16044");
    expect(seen.stream_last).toContain("mp4");
  }, 60_000);

  test("the official Python worker serves the simulator, and its errors come through", async () => {
    const { app } = simulator("secret-key");
    const server = Bun.serve({ port: 0, idleTimeout: 0, fetch: app.fetch });
    const base = `http://127.0.0.1:${server.port}`;
    const worker = Bun.spawn([python, script("worker.py")], {
      env: {
        ...process.env,
        ...workerEnvironment(base, "ep", "w1", "secret-key"),
        RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: "true",
      },
      stdout: "ignore",
      stderr: "ignore",
    });
    const endpoint = runpodSdk("secret-key", { baseUrl: `${base}/v2` }).endpoint("ep");
    try {
      const done = await endpoint?.runSync({ input: { text: "hi" } }, 40_000);
      expect(done).toMatchObject({ status: "COMPLETED", output: { said: "hi" } });
      const failed = await endpoint?.runSync({ input: { text: "fail" } }, 40_000);
      expect(failed?.status).toBe("FAILED");
      expect(JSON.stringify(failed)).toContain("no such character");
    } finally {
      worker.kill();
      await worker.exited;
      server.stop(true);
    }
  }, 90_000);
}

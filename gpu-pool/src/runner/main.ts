// The child process that owns every ONNX session of one device. It talks to the supervisor over IPC alone.

import { isOutOfMemory } from "../pipelines/animatediff/index.ts";
import type { FromRunner, RunnerJob, RunnerSetup, ToRunner } from "./messages.ts";
import { Models } from "./models.ts";
import { runJob } from "./run-job.ts";
import { SpentMeter } from "./spent.ts";

const send = (message: FromRunner): void => {
  process.send?.(message);
};

let models: Models | undefined;
let setup: RunnerSetup | undefined;
let current: { run: string; abort: AbortController } | undefined;

async function start(given: RunnerSetup): Promise<void> {
  const started = performance.now();
  setup = given;
  try {
    models = await Models.open(given);
    send({ type: "ready", warm: models.warm, seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    send({ type: "setup_failed", message: messageOf(error) });
  }
}

async function run(job: RunnerJob): Promise<void> {
  const spent = new SpentMeter(job.clip?.num_inference_steps ?? 0);
  const abort = new AbortController();
  current = { run: job.run, abort };
  try {
    if (!models || !setup) throw new Error("the runner is not ready");
    const device = setup.device.kind;
    const result = await runJob({ job, models, spent, device, signal: abort.signal, send });
    send({ type: "done", run: job.run, result, spent: spent.read() });
  } catch (error) {
    if (abort.signal.aborted) send({ type: "canceled", run: job.run, spent: spent.read() });
    else send({ type: "failed", run: job.run, ...classify(error), spent: spent.read() });
  } finally {
    current = undefined;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Running out of memory is worth another node; anything else would fail there just the same. */
function classify(error: unknown): { code: string; message: string; retryable: boolean } {
  const message = messageOf(error);
  if (isOutOfMemory(error)) return { code: "out_of_memory", message, retryable: true };
  return { code: "internal", message, retryable: /CUDA|cuDNN|cublas/i.test(message) };
}

process.on("message", (message: ToRunner) => {
  if (message.type === "setup") void start(message.setup);
  else if (message.type === "run") void run(message.job);
  else if (message.type === "cancel" && current?.run === message.run) current.abort.abort();
  else if (message.type === "exit") process.exit(0);
});
// A supervisor that is gone takes its runners along; Ctrl-C reaches both, and the supervisor decides.
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
